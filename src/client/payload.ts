import { viewOf } from '../protocol/binary.ts';
import type { Payload } from '../protocol/frames.ts';
import { faithfulJson } from '../protocol/json/faithful.ts';
import { localError } from './client-error.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Bytes (an ArrayBuffer or a view on one) go as they are, everything else as JSON; nothing at all is null.
 * Both are copied: what the application does with its data later changes nothing. Throws `unsupported_value`
 * where JSON would say something else than the value, or nothing.
 */
export function payloadOf(data: unknown): Payload {
  try {
    const bytes = viewOf(data);
    if (bytes) return { format: 'binary', bytes: bytes.slice() };
    const json = data === undefined ? 'null' : faithfulJson(data);
    return { format: 'json', bytes: encoder.encode(json) };
  } catch (cause) {
    throw localError('unsupported_value', `The value can't be carried: ${String(cause)}`, cause);
  }
}

export function readPayload(payload: Payload): unknown {
  // A copy: the message that holds these bytes has other readers.
  if (payload.format === 'binary') return payload.bytes.slice();
  return payload.bytes.length === 0 ? null : JSON.parse(decoder.decode(payload.bytes));
}

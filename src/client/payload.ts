import { viewOf } from '../protocol/binary.ts';
import type { Payload } from '../protocol/frames.ts';
import { faithfulJson } from '../protocol/json/faithful.ts';
import { utf8 } from '../protocol/utf8.ts';
import { localError } from './client-error.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

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
    return { format: 'json', bytes: utf8(json) };
  } catch (cause) {
    throw localError('unsupported_value', `not JSON: ${String(cause)}`, cause);
  }
}

/** What it holds; of binary ones a copy, because the message that holds the bytes has other readers. */
export function readPayload(payload: Payload): unknown {
  if (payload.format === 'binary') return payload.bytes.slice();
  return payload.bytes.length === 0 ? null : JSON.parse(textOf(payload));
}

/** The text of a payload, byte for byte. */
export function textOf({ bytes }: Payload): string {
  return decoder.decode(bytes);
}

import { viewOf } from '../protocol/binary.ts';
import type { Payload } from '../protocol/frames.ts';
import { faithfulJson } from '../protocol/json/faithful.ts';
import { textOf as decode, utf8 } from '../protocol/utf8.ts';
import { localError } from './client-error.ts';

/**
 * Bytes (an ArrayBuffer or a view on one) as they are, everything else as JSON; `undefined` is null. Both are copied,
 * so that later changes of the data have no effect. Throws `unsupported_value` if JSON can't carry the value unchanged.
 */
export function payloadOf(data: unknown): Payload {
  try {
    const bytes = viewOf(data);
    if (bytes) return { format: 'binary', bytes: bytes.slice() };
    const json = data === undefined ? 'null' : faithfulJson(data);
    return { format: 'json', bytes: utf8(json) };
  } catch (cause) {
    throw localError('unsupported_value', undefined, cause);
  }
}

/** The parsed JSON, or a copy of the bytes: others read the message that holds them. */
export function readPayload(payload: Payload): unknown {
  if (payload.format === 'binary') return payload.bytes.slice();
  return payload.bytes.length === 0 ? null : JSON.parse(textOf(payload));
}

/** The payload as text, byte for byte. In a binary one U+FFFD stands for what is not UTF-8. */
export function textOf({ bytes, format }: Payload): string {
  return format === 'binary' ? new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes) : decode(bytes);
}

import type { Payload } from '../protocol/frames.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Bytes go as they are, everything else as JSON; what JSON can't say (`undefined`, a function) is null. */
export function payloadOf(data: unknown): Payload {
  if (data instanceof Uint8Array) return { format: 'binary', bytes: data };
  return { format: 'json', bytes: encoder.encode(JSON.stringify(data) ?? 'null') };
}

export function readPayload(payload: Payload): unknown {
  if (payload.format === 'binary') return payload.bytes;
  return payload.bytes.length === 0 ? null : JSON.parse(decoder.decode(payload.bytes));
}

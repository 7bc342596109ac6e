import type { Payload } from './frames.ts';

/** The same payload with bytes that stay valid: a copy only where they do not. */
export function lastingPayload(payload: Payload): Payload {
  return payload.lasts ? payload : { format: payload.format, bytes: payload.bytes.slice(), lasts: true };
}

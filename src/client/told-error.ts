import { errorNumber } from '../errors/numbers.ts';
import type { WireError } from '../protocol/frames.ts';

/** An error of the gateway's table that came over HTTP. In a file of its own, because few clients need the table. */
export function gatewayError(code: string, message: string, retryAfterMs?: number): WireError {
  const number = errorNumber(code) ?? 0;
  return { code, message, number, retry: mayRetry(number), retryAfterMs };
}

/** Whether the same request may succeed later. An unknown code has the number 0, and may. */
function mayRetry(number: number): boolean {
  return number === 0 || number === 116 || number === 117 || number >= 140;
}

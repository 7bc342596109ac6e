import { errorNumber } from '../errors/numbers.ts';
import { ClientError } from './client-error.ts';
import { mayRetry } from './gateway-errors.ts';

/** An error of the gateway's table that came over HTTP. Apart from `ownError`, because few clients need the table. */
export function gatewayError(code: string, message: string, retryAfterMs?: number): ClientError {
  const number = errorNumber(code) ?? 0;
  return new ClientError({ code, message, number, retry: mayRetry(number), retryAfterMs });
}

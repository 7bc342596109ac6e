import { errorNumber } from '../errors/numbers.ts';
import type { WireError } from '../protocol/frames.ts';

/** An error of the gateway's table that came over HTTP. In a file of its own, because few clients need the table. */
export function gatewayError(code: string, message: string, retryAfterMs?: number): WireError {
  const number = errorNumber(code) ?? 0;
  return { code, message, number, retry: mayRetry(number), retryAfterMs };
}

/** The error in a response of a gateway; undefined: another server has responded. */
export async function readError(response: Response): Promise<WireError | undefined> {
  try {
    const { code, message } = ((await response.json()) as { error: Record<string, unknown> }).error;
    return typeof code === 'string'
      ? gatewayError(code, String(message ?? code), retryAfterMsOf(response))
      : undefined;
  } catch {
    return undefined;
  }
}

/** What the header Retry-After says in seconds. */
export function retryAfterMsOf({ headers }: Response): number | undefined {
  const retryAfterMs = Number(headers.get('retry-after')) * 1_000;
  return Number.isFinite(retryAfterMs) && retryAfterMs > 0 ? retryAfterMs : undefined;
}

/** Whether the same request may succeed later. An unknown code has the number 0, and may. */
function mayRetry(number: number): boolean {
  return number === 0 || number === 116 || number === 117 || number >= 140;
}

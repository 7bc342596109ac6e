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

/** Why the response of another server than a gateway has this status. The numbers are those of the SDK's own codes. */
export function errorOfStatus(status: number, address: string) {
  if (status === 505)
    return {
      code: 'http_version',
      number: 1014,
      message: 'A proxy speaks HTTP/1.0; the gateway needs 1.1.',
    } as const;
  if (status >= 502 && status <= 504) {
    const message = `A proxy at ${address} reaches no gateway (HTTP ${status}).`;
    return { code: 'gateway_unreachable', number: 1011, message } as const;
  }
  const message = `${address} is no Sluice gateway (HTTP ${status}).`;
  return { code: 'not_a_gateway', number: 1012, message } as const;
}

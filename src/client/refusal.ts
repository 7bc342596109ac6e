import { type ClientError, gatewayError } from './client-error.ts';

/** What the HTTP side says about an upgrade that failed; see `learnRefusal`. */
export interface Refusal {
  readonly error: ClientError;
  /** No attempt before so many milliseconds. */
  readonly retryAfterMs: number | undefined;
}

/**
 * To a browser a refused upgrade looks like a lost network (1006). The gateway answers a GET to the same URL with
 * the reason. `undefined`: nothing known against connecting, or nobody there to ask.
 */
export async function learnRefusal(url: string, get: typeof fetch): Promise<Refusal | undefined> {
  try {
    const response = await get(url.replace(/^ws/, 'http'), {
      headers: { accept: 'application/json' },
      cache: 'no-store',
      signal: AbortSignal.timeout(5_000),
    });
    if (response.ok || response.status === 426) return undefined;
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
    const retryAfterMs = Number.isFinite(seconds) ? seconds * 1_000 : undefined;
    const body: unknown = await response.json();
    const told = (body as { error?: { code?: unknown; message?: unknown } } | null)?.error;
    if (typeof told?.code !== 'string') return undefined;
    return { error: gatewayError(told.code, String(told.message ?? told.code), retryAfterMs), retryAfterMs };
  } catch {
    // Not reachable, no JSON, or another origin that may not look: then the loss of the connection is all there is to know.
    return undefined;
  }
}

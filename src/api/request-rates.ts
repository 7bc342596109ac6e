import { type Identity, isOperator } from '../auth/identity.ts';
import { accountOf } from '../auth/payer.ts';
import type { ReportRefusal } from '../auth/refusals.ts';
import { type Awaitable, whenDone } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { ApiResponse, RequestHead } from './http.ts';
import type { Route } from './route.ts';

/** How often and for how much work a payer may ask. */
export interface RequestRateLimits {
  /**
   * Takes a request. Returns 0, or in how many milliseconds the payer may ask again. `isAddress`: it is only an
   * address.
   */
  take(account: string, isAddress: boolean): number;
  spent(account: string, ms: number, bytes: number): void;
}

export interface RequestRatesOptions {
  readonly limits: RequestRateLimits;
  readonly addressKey: (head: RequestHead) => string;
  /** Hears of payers that meet the limits. */
  readonly refused: ReportRefusal | undefined;
  /** The clock by which payers are charged for work. */
  readonly workMs: () => number;
  readonly metrics: Pick<Metrics, 'rateLimitedTotal'>;
}

/** Holds payers to their limits, and charges them for what their requests cost. */
export class RequestRates {
  readonly #options: RequestRatesOptions;

  constructor(options: RequestRatesOptions) {
    this.#options = options;
  }

  /** Takes a request of the payer. Returns why it is refused, if it is. */
  problem(head: RequestHead, account: string, identity: Identity | undefined): SluiceError | undefined {
    const { limits, metrics, refused, addressKey } = this.#options;
    const isAddress = identity === undefined || accountOf(identity) === undefined;
    const retryAfterMs = limits.take(account, isAddress);
    if (retryAfterMs === 0) return undefined;
    metrics.rateLimitedTotal.inc({ scope: 'http' });
    const error = new SluiceError('rate_limited', undefined, { retryAfterMs });
    const { requestId: request } = head;
    refused?.('http', error, { address: addressKey(head), origin: '', request, user: identity?.user });
    return error;
  }

  /** Does the work, and charges the payer for its time and for the response. */
  charged(account: string, work: () => Awaitable<ApiResponse>): Awaitable<ApiResponse> {
    const { limits, workMs } = this.#options;
    const startMs = workMs();
    const responding = work();
    const tookMs = workMs() - startMs;
    return whenDone(responding, (response) => {
      const bytes = response.omitBody === true ? 0 : response.body.length;
      limits.spent(account, tookMs, bytes);
      return response;
    });
  }
}

/** Operators and probes ask as often as they like. */
export function isExempt(route: Route | undefined, identity: Identity | undefined): boolean {
  return (identity !== undefined && isOperator(identity)) || route?.isProbe === true;
}

import { TokenBuckets } from './token-bucket.ts';

export interface RequestRates {
  readonly httpRequestsPerSecondPerIp: number;
  readonly httpRequestsPerSecondPerUser: number;
}

/** Of a second, what the requests of one payer may take, and how much of that at once. */
const workMsPerSecond = 250;
const workBurstMs = 100;
/** An answer of this size costs about a millisecond to put together and write (`bench -- siege`). */
const bytesPerMs = 200 * 1024;

/**
 * How often users and addresses may ask by HTTP, and for how much work. API keys have no such limit: they are the
 * operator's own.
 */
export class RequestLimits {
  readonly #addresses: TokenBuckets;
  readonly #users: TokenBuckets;
  readonly #work: TokenBuckets;

  constructor(rates: RequestRates, nowMs: () => number) {
    const { httpRequestsPerSecondPerIp: perIp, httpRequestsPerSecondPerUser: perUser } = rates;
    this.#addresses = new TokenBuckets(perIp, perIp, nowMs);
    this.#users = new TokenBuckets(perUser, perUser, nowMs);
    this.#work = new TokenBuckets(workMsPerSecond, workBurstMs, nowMs);
  }

  /** Takes a request of this payer: 0, or in how many milliseconds it may ask again. */
  take(payer: string, isAddress: boolean): number {
    return (isAddress ? this.#addresses : this.#users).take(payer) || this.#work.waitMs(payer);
  }

  /** What answering has cost. */
  spent(payer: string, ms: number, answerBytes: number): void {
    this.#work.spend(payer, ms + answerBytes / bytesPerMs);
  }

  sweep(): void {
    this.#addresses.sweep();
    this.#users.sweep();
    this.#work.sweep();
  }
}

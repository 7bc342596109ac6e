import { type Arrival, TokenBuckets } from './token-bucket.ts';

export interface RequestRates {
  readonly httpRequestsPerSecondPerIp: number;
  readonly httpRequestsPerSecondPerUser: number;
}

/** The time per second that the requests of one payer may take, and its burst. */
const workMsPerSecond = 250;
const workBurstMs = 100;
/** Of this size a response or publication is charged as a millisecond. `bench -- siege` shows that it suffices. */
const bytesPerMs = 200 * 1024;

/**
 * Limits how many HTTP requests users and addresses send, and how much time these take. API keys are the operator's
 * own and have no such limit.
 */
export class RequestLimits {
  readonly #rates: RequestRates;
  readonly #addresses: TokenBuckets;
  readonly #users: TokenBuckets;
  readonly #work: TokenBuckets;

  constructor(rates: RequestRates, arrival: Arrival) {
    this.#rates = rates;
    const { httpRequestsPerSecondPerIp: perIp, httpRequestsPerSecondPerUser: perUser } = rates;
    this.#addresses = new TokenBuckets(perIp, perIp, arrival);
    this.#users = new TokenBuckets(perUser, perUser, arrival);
    this.#work = new TokenBuckets(workMsPerSecond, workBurstMs, arrival);
  }

  /** Reads the rates again. */
  reload(): void {
    const { httpRequestsPerSecondPerIp: perIp, httpRequestsPerSecondPerUser: perUser } = this.#rates;
    this.#addresses.limit(perIp, perIp);
    this.#users.limit(perUser, perUser);
  }

  /** Takes a request of this payer. Returns 0, or the milliseconds to wait before the next. */
  take(account: string, isAddress: boolean): number {
    return (isAddress ? this.#addresses : this.#users).take(account) || this.#work.waitMs(account);
  }

  /** The milliseconds until this payer may ask for more work. Takes nothing. */
  workWaitMs(account: string): number {
    return this.#work.waitMs(account);
  }

  /** Charges what a request has cost. `bytes`: of its response, or of what it publishes. */
  spent(account: string, ms: number, bytes: number): void {
    this.#work.spend(account, ms + bytes / bytesPerMs);
  }

  sweep(): void {
    this.#addresses.sweep();
    this.#users.sweep();
    this.#work.sweep();
  }
}

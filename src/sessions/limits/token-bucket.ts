/** Rounding tolerance, in ms, so that a client that has waited as long as it was told is not refused. */
const rounding = 1e-9;

/**
 * When messages that are read now have arrived, in milliseconds on a monotonic clock: between `sinceMs` and `nowMs`.
 * While the event loop is held up, more than a burst arrives even from clients that keep to their rate.
 */
export interface Arrival {
  readonly nowMs: () => number;
  readonly sinceMs: () => number;
}

/**
 * The rate of token buckets: `perSecond` on average, bursts of `burst`. A bucket is a single number, the time at which
 * it is full again, so that a session has no object for it; 0 is a bucket that was never used. Times are milliseconds
 * on a monotonic clock. Whether there is a token is judged by the time at which a message is read. The token is taken
 * at `sinceMs`, the earliest time at which the message may have been sent.
 */
export class TokenRate {
  #perSecond: number;
  #burst: number;
  #msPerToken: number;

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#msPerToken = 1000 / perSecond;
  }

  get perSecond(): number {
    return this.#perSecond;
  }

  get burst(): number {
    return this.#burst;
  }

  /** How long an empty bucket takes until it is full. */
  get fillMs(): number {
    return this.#burst * this.#msPerToken;
  }

  /** Changes the rate for all buckets of it. */
  limit({ perSecond, burst }: TokenRate): void {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#msPerToken = 1000 / perSecond;
  }

  /** 0: there is a token; else the milliseconds until there is one. */
  waitMs(fullAtMs: number, nowMs: number): number {
    const tokens = this.#burst - Math.max(0, fullAtMs - nowMs) / this.#msPerToken;
    if (tokens >= 1 - rounding) return 0;
    return Math.ceil((1 - rounding - tokens) * this.#msPerToken);
  }

  /** When the bucket is full again without one token more. Call it where `waitMs` is 0. */
  afterOne(fullAtMs: number, nowMs: number, sinceMs: number): number {
    return Math.min(this.after(fullAtMs, sinceMs, 1), nowMs + this.fillMs);
  }

  /** The same for `tokens`, which may put the bucket in debt. */
  after(fullAtMs: number, sinceMs: number, tokens: number): number {
    return Math.max(fullAtMs, sinceMs) + tokens * this.#msPerToken;
  }
}

/** A bucket for each of many keys, as accounts and addresses. `sweep` forgets the full ones. */
export class TokenBuckets {
  #rate: TokenRate;
  readonly #arrival: Arrival;
  /** When each is full again. */
  readonly #fullAtMs = new Map<string, number>();

  constructor(perSecond: number, burst: number, arrival: Arrival) {
    this.#rate = new TokenRate(perSecond, burst);
    this.#arrival = arrival;
  }

  /** Changes the limits. If they differ, every bucket is full again. */
  limit(perSecond: number, burst: number): void {
    if (this.#rate.perSecond === perSecond && this.#rate.burst === burst) return;
    this.#rate = new TokenRate(perSecond, burst);
    this.#fullAtMs.clear();
  }

  /** Takes one token. Returns 0, or the milliseconds until there is one. */
  take(key: string): number {
    const { nowMs, sinceMs } = this.#arrival;
    const atMs = nowMs();
    const fullAtMs = this.#fullAtMs.get(key) ?? 0;
    const waitMs = this.#rate.waitMs(fullAtMs, atMs);
    if (waitMs === 0) this.#fullAtMs.set(key, this.#rate.afterOne(fullAtMs, atMs, sinceMs()));
    return waitMs;
  }

  /** Gives back a token that was taken for nothing. */
  giveBack(key: string): void {
    if (this.#fullAtMs.has(key)) this.spend(key, -1);
  }

  /** Takes a cost that is known only afterwards. The bucket may then be in debt: at most what `debtMaxMs` pay. */
  spend(key: string, tokens: number, debtMaxMs = Number.POSITIVE_INFINITY): void {
    const { nowMs, sinceMs } = this.#arrival;
    const fullAtMs = this.#rate.after(this.#fullAtMs.get(key) ?? 0, sinceMs(), tokens);
    this.#fullAtMs.set(key, Math.min(fullAtMs, nowMs() + this.#rate.fillMs + debtMaxMs));
  }

  /** What `take` would return. Takes nothing. */
  waitMs(key: string): number {
    const fullAtMs = this.#fullAtMs.get(key);
    return fullAtMs === undefined ? 0 : this.#rate.waitMs(fullAtMs, this.#arrival.nowMs());
  }

  sweep(): void {
    const nowMs = this.#arrival.nowMs();
    for (const [key, fullAtMs] of this.#fullAtMs) if (fullAtMs <= nowMs) this.#fullAtMs.delete(key);
  }
}

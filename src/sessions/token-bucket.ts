/** Sums of fractions of tokens come out a little short: who waited as long as they were told is not to be refused. */
const rounding = 1e-9;

/** A token bucket: `perSecond` on average, bursts of `burst`. Times are milliseconds on a monotonic clock. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  /** Takes one token: 0, or in how many milliseconds there will be one. */
  take(nowMs: number): number {
    const waitMs = this.waitMs(nowMs);
    if (waitMs === 0) this.#tokens = Math.max(0, this.#tokens - 1);
    return waitMs;
  }

  /** Takes what something has cost, when that is known only afterwards: the bucket may be in debt then. */
  spend(tokens: number, nowMs: number): void {
    this.waitMs(nowMs);
    this.#tokens -= tokens;
  }

  /** What `take` would answer. Takes nothing. */
  waitMs(nowMs: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#atMs) / 1000) * this.#perSecond);
    this.#atMs = nowMs;
    if (this.#tokens >= 1 - rounding) return 0;
    return Math.ceil(((1 - rounding - this.#tokens) / this.#perSecond) * 1000);
  }

  /** Whether it is as good as new, and needn't be remembered. */
  isFull(nowMs: number): boolean {
    return this.#tokens + ((nowMs - this.#atMs) / 1000) * this.#perSecond >= this.#burst;
  }
}

/** A bucket for each of many payers. Those that are full again are forgotten by `sweep`. */
export class TokenBuckets {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #nowMs: () => number;
  readonly #byPayer = new Map<string, TokenBucket>();

  /** `nowMs`: milliseconds on a monotonic clock. */
  constructor(perSecond: number, burst: number, nowMs: () => number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#nowMs = nowMs;
  }

  /** Payers that are remembered. */
  get size(): number {
    return this.#byPayer.size;
  }

  /** Takes one token: 0, or in how many milliseconds there will be one. */
  take(payer: string): number {
    const nowMs = this.#nowMs();
    return this.#of(payer, nowMs).take(nowMs);
  }

  spend(payer: string, tokens: number): void {
    const nowMs = this.#nowMs();
    this.#of(payer, nowMs).spend(tokens, nowMs);
  }

  /** What `take` would answer. Takes nothing. */
  waitMs(payer: string): number {
    return this.#byPayer.get(payer)?.waitMs(this.#nowMs()) ?? 0;
  }

  sweep(): void {
    const nowMs = this.#nowMs();
    for (const [payer, bucket] of this.#byPayer) if (bucket.isFull(nowMs)) this.#byPayer.delete(payer);
  }

  #of(payer: string, nowMs: number): TokenBucket {
    let bucket = this.#byPayer.get(payer);
    if (bucket === undefined) {
      bucket = new TokenBucket(this.#perSecond, this.#burst, nowMs);
      this.#byPayer.set(payer, bucket);
    }
    return bucket;
  }
}

/** Sums of fractions of tokens come out a little short. A client that waited as long as it was told is not refused. */
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

  /** Takes one token. Returns 0, or the milliseconds until there is one. */
  take(nowMs: number): number {
    const waitMs = this.waitMs(nowMs);
    if (waitMs === 0) this.#tokens = Math.max(0, this.#tokens - 1);
    return waitMs;
  }

  /** Takes a cost that is known only afterwards. The bucket may then be in debt. */
  spend(tokens: number, nowMs: number): void {
    this.waitMs(nowMs);
    this.#tokens -= tokens;
  }

  /** What `take` would return. Takes nothing. */
  waitMs(nowMs: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#atMs) / 1000) * this.#perSecond);
    this.#atMs = nowMs;
    if (this.#tokens >= 1 - rounding) return 0;
    return Math.ceil(((1 - rounding - this.#tokens) / this.#perSecond) * 1000);
  }

  /** Whether it equals a new one, and need not be remembered. */
  isFull(nowMs: number): boolean {
    return this.#tokens + ((nowMs - this.#atMs) / 1000) * this.#perSecond >= this.#burst;
  }
}

/** A bucket for each of many keys, as accounts and addresses. `sweep` forgets the full ones. */
export class TokenBuckets {
  #perSecond: number;
  #burst: number;
  readonly #nowMs: () => number;
  readonly #byKey = new Map<string, TokenBucket>();

  /** `nowMs`: milliseconds on a monotonic clock. */
  constructor(perSecond: number, burst: number, nowMs: () => number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#nowMs = nowMs;
  }

  /** Keys that are remembered. */
  get size(): number {
    return this.#byKey.size;
  }

  /** Other limits than before. Where they differ, every bucket is full again. */
  limit(perSecond: number, burst: number): void {
    if (perSecond === this.#perSecond && burst === this.#burst) return;
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#byKey.clear();
  }

  /** Takes one token. Returns 0, or the milliseconds until there is one. */
  take(key: string): number {
    const nowMs = this.#nowMs();
    return this.#of(key, nowMs).take(nowMs);
  }

  /** Gives back a token that was taken for nothing. */
  giveBack(key: string): void {
    this.#byKey.get(key)?.spend(-1, this.#nowMs());
  }

  spend(key: string, tokens: number): void {
    const nowMs = this.#nowMs();
    this.#of(key, nowMs).spend(tokens, nowMs);
  }

  /** What `take` would return. Takes nothing. */
  waitMs(key: string): number {
    return this.#byKey.get(key)?.waitMs(this.#nowMs()) ?? 0;
  }

  sweep(): void {
    const nowMs = this.#nowMs();
    for (const [key, bucket] of this.#byKey) if (bucket.isFull(nowMs)) this.#byKey.delete(key);
  }

  #of(key: string, nowMs: number): TokenBucket {
    let bucket = this.#byKey.get(key);
    if (bucket === undefined) {
      bucket = new TokenBucket(this.#perSecond, this.#burst, nowMs);
      this.#byKey.set(key, bucket);
    }
    return bucket;
  }
}

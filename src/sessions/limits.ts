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

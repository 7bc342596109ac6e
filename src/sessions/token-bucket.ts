/** Rounding tolerance, in ms: a client that has waited as long as it was told is not refused. */
const rounding = 1e-9;

/**
 * The rate of token buckets: `perSecond` on average, bursts of `burst`. A bucket is one number, when it is full again:
 * a session has no more of it than that. Times are milliseconds on a monotonic clock; an unused bucket is full at any.
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
  afterOne(fullAtMs: number, nowMs: number): number {
    return Math.min(this.after(fullAtMs, nowMs, 1), nowMs + this.#burst * this.#msPerToken);
  }

  /** The same for `tokens`, which may put the bucket in debt. */
  after(fullAtMs: number, nowMs: number, tokens: number): number {
    return Math.max(fullAtMs, nowMs) + tokens * this.#msPerToken;
  }
}

/** A bucket for each of many keys, as accounts and addresses. `sweep` forgets the full ones. */
export class TokenBuckets {
  #rate: TokenRate;
  readonly #nowMs: () => number;
  /** When each is full again. */
  readonly #fullAtMs = new Map<string, number>();

  /** `nowMs`: milliseconds on a monotonic clock. */
  constructor(perSecond: number, burst: number, nowMs: () => number) {
    this.#rate = new TokenRate(perSecond, burst);
    this.#nowMs = nowMs;
  }

  /** Changes the limits. If they differ, every bucket is full again. */
  limit(perSecond: number, burst: number): void {
    if (this.#rate.perSecond === perSecond && this.#rate.burst === burst) return;
    this.#rate = new TokenRate(perSecond, burst);
    this.#fullAtMs.clear();
  }

  /** Takes one token. Returns 0, or the milliseconds until there is one. */
  take(key: string): number {
    const nowMs = this.#nowMs();
    const fullAtMs = this.#fullAtMs.get(key) ?? 0;
    const waitMs = this.#rate.waitMs(fullAtMs, nowMs);
    if (waitMs === 0) this.#fullAtMs.set(key, this.#rate.afterOne(fullAtMs, nowMs));
    return waitMs;
  }

  /** Gives back a token that was taken for nothing. */
  giveBack(key: string): void {
    if (this.#fullAtMs.has(key)) this.spend(key, -1);
  }

  /** Takes a cost that is known only afterwards. The bucket may then be in debt. */
  spend(key: string, tokens: number): void {
    this.#fullAtMs.set(key, this.#rate.after(this.#fullAtMs.get(key) ?? 0, this.#nowMs(), tokens));
  }

  /** What `take` would return. Takes nothing. */
  waitMs(key: string): number {
    const fullAtMs = this.#fullAtMs.get(key);
    return fullAtMs === undefined ? 0 : this.#rate.waitMs(fullAtMs, this.#nowMs());
  }

  sweep(): void {
    const nowMs = this.#nowMs();
    for (const [key, fullAtMs] of this.#fullAtMs) if (fullAtMs <= nowMs) this.#fullAtMs.delete(key);
  }
}

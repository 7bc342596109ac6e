/** Rates are those of a window that is over. */
const windowMs = 10_000;
/** Topics that are counted at a time. */
const countedMax = 1000;

/** Which topics get the most publications, in bounded memory. */
export class HotTopics {
  readonly #nowMs: () => number;
  #counts = new Map<string, number>();
  #last: readonly (readonly [topic: string, count: number])[] = [];
  #startedAtMs: number;

  /** `nowMs`: milliseconds on a monotonic clock. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#startedAtMs = nowMs();
  }

  appended(topic: string, publications: number): void {
    this.#counts.set(topic, (this.#counts.get(topic) ?? 0) + publications);
    if (this.#counts.size > countedMax) this.#forgetColdest();
  }

  /** Publications per second of the topics that had the most in the last window, the most first. */
  hottest(limit: number): Record<string, number> {
    return Object.fromEntries(
      this.#last.slice(0, limit).map(([topic, count]) => [topic, count / (windowMs / 1000)]),
    );
  }

  /** Ends the window when it is over. Call it about once a second. */
  sweep(): void {
    const nowMs = this.#nowMs();
    const windows = (nowMs - this.#startedAtMs) / windowMs;
    if (windows < 1) return;
    this.#last = [...this.#counts]
      .map(([topic, count]) => [topic, Math.round(count / windows)] as const)
      .sort(([, a], [, b]) => b - a);
    this.#counts = new Map();
    this.#startedAtMs = nowMs;
  }

  /** Halves all counts until there is room, so that a topic that gets a lot stays. */
  #forgetColdest(): void {
    for (const [topic, count] of this.#counts) {
      if (count < 2) this.#counts.delete(topic);
      else this.#counts.set(topic, count >> 1);
    }
  }
}

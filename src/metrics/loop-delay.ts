const everyMs = 50;

/** The clock and timer that it uses; tests bring their own. */
interface LoopClock {
  /** Milliseconds on a monotonic clock. */
  nowMs(): number;
  /** Calls `look` at about this interval. Returns a function that ends it. */
  every(intervalMs: number, look: () => void): () => void;
}

const loopClock: LoopClock = {
  nowMs: () => performance.now(),
  every(intervalMs, look) {
    const timer = setInterval(look, intervalMs).unref();
    return () => clearInterval(timer);
  },
};

/**
 * Calls `delayed` twenty times a second with the seconds that a timer was late, which is how long other due work had to
 * wait. Every pause of the loop over 50 ms is seen. Returns a function that ends it.
 *
 * Not the monitor of `perf_hooks` that prom-client starts: it wakes an idle process a hundred times a second, and its
 * values include its own 10 ms.
 */
export function watchLoopDelay(delayed: (seconds: number) => void, clock: LoopClock = loopClock): () => void {
  let lastMs = clock.nowMs();
  return clock.every(everyMs, () => {
    const nowMs = clock.nowMs();
    delayed(Math.max(0, nowMs - lastMs - everyMs) / 1000);
    lastMs = nowMs;
  });
}

const keptSeconds = 10;

/** The longest delay of the last ten seconds. */
export class RecentDelays {
  readonly #monotonicMs: () => number;
  /** The longest of each second, by its number modulo `keptSeconds`. */
  readonly #longestMs = new Float64Array(keptSeconds);
  readonly #seconds = new Float64Array(keptSeconds).fill(Number.NEGATIVE_INFINITY);

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  add(delayMs: number): void {
    const second = this.#second();
    const at = second % keptSeconds;
    if (this.#seconds[at] !== second) this.#longestMs[at] = 0;
    this.#seconds[at] = second;
    this.#longestMs[at] = Math.max(this.#longestMs[at] as number, delayMs);
  }

  get longestMs(): number {
    const oldest = this.#second() - keptSeconds;
    return this.#longestMs.reduce(
      (longest, each, at) => ((this.#seconds[at] as number) > oldest ? Math.max(longest, each) : longest),
      0,
    );
  }

  #second(): number {
    return Math.floor(this.#monotonicMs() / 1000);
  }
}

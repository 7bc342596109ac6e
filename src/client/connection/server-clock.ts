import type { Runtime } from '../runtime.ts';

interface Estimate {
  readonly roundTripMs: number;
  /** By how much the gateway's clock is ahead of the monotonic one. */
  readonly aheadMs: number;
}

/**
 * Estimates the gateway's clock from the pings. The pong is taken to have been written in the middle of the round trip,
 * so an estimate is wrong by half a round trip at most: the quickest of the latest pings counts. Estimates are kept on
 * the monotonic clock, so that they stay right when the local clock is set.
 */
export class ServerClock {
  readonly #runtime: Runtime;
  #estimates: readonly Estimate[] = [];
  /** That of the greeting. */
  #aheadMs: number;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#aheadMs = runtime.now() - runtime.monotonicMs();
  }

  /** Takes the time of a greeting, which is less exact. Forgets the pings of the previous connection. */
  greeted(timeMs: number): void {
    this.#estimates = [];
    this.#aheadMs = timeMs - this.#runtime.monotonicMs();
  }

  /** A pong has just come. */
  observe(roundTripMs: number, timeMs: number): void {
    const aheadMs = timeMs + roundTripMs / 2 - this.#runtime.monotonicMs();
    this.#estimates = [...this.#estimates, { roundTripMs, aheadMs }].slice(-8);
  }

  /** The round trip of the latest ping; `undefined` before the first pong. */
  get roundTripMs(): number | undefined {
    return this.#estimates.at(-1)?.roundTripMs;
  }

  /** To be added to the local clock to get the gateway's. */
  get offsetMs(): number {
    const [best] = [...this.#estimates].sort((a, b) => a.roundTripMs - b.roundTripMs);
    return (best?.aheadMs ?? this.#aheadMs) + this.#runtime.monotonicMs() - this.#runtime.now();
  }
}

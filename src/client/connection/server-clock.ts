import type { Runtime } from '../runtime.ts';
import type { Pulse } from './heartbeat.ts';

/**
 * Estimates the gateway's clock from the pings. The pong is taken to have been written in the middle of the round trip,
 * so an estimate is wrong by half a round trip at most: the quickest of the latest pings counts. Estimates are kept on
 * the monotonic clock, so that they stay right when the local clock is set.
 */
export class ServerClock {
  readonly #runtime: Runtime;
  #pulses: Pulse[] = [];
  /** By how much the gateway's clock is ahead of the monotonic one, by its greeting. */
  #greetingAheadMs: number;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#greetingAheadMs = runtime.now() - runtime.monotonicMs();
  }

  /** Takes the time of a greeting, which is less exact. Forgets the pings of the previous connection. */
  greeted(timeMs: number): void {
    this.#pulses = [];
    this.#greetingAheadMs = timeMs - this.#runtime.monotonicMs();
  }

  observe(pulse: Pulse): void {
    this.#pulses = [...this.#pulses, pulse].slice(-8);
  }

  /** The round trip of the latest ping; `undefined` before the first pong. */
  get roundTripMs(): number | undefined {
    return this.#pulses.at(-1)?.roundTripMs;
  }

  /** To be added to the local clock to get the gateway's. */
  get offsetMs(): number {
    const [best] = [...this.#pulses].sort((a, b) => a.roundTripMs - b.roundTripMs);
    const aheadMs = best ? best.timeMs + best.roundTripMs / 2 - best.receivedAtMs : this.#greetingAheadMs;
    return aheadMs + this.#runtime.monotonicMs() - this.#runtime.now();
  }
}

import type { Pulse } from './heartbeat.ts';

/**
 * What the gateway's clock shows, guessed from the pings. The pong is taken to have been written in the middle of the
 * round trip, so a guess is wrong by half a round trip at most: the quickest of the latest pings is believed.
 */
export class ServerClock {
  #pulses: Pulse[] = [];
  #greetingOffsetMs = 0;

  /** The greeting tells the time too, less exactly. Forgets the pings of the previous connection. */
  greeted(timeMs: number, nowMs: number): void {
    this.#pulses = [];
    this.#greetingOffsetMs = timeMs - nowMs;
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
    const [first, ...rest] = this.#pulses;
    if (!first) return this.#greetingOffsetMs;
    const { timeMs, receivedAtMs, roundTripMs } = rest.reduce(
      (best, pulse) => (pulse.roundTripMs < best.roundTripMs ? pulse : best),
      first,
    );
    return timeMs + roundTripMs / 2 - receivedAtMs;
  }
}

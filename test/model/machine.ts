import { Loop } from './loop.ts';
import type { Network } from './network.ts';

/** All gateways of a world, which live by one event loop and one clock. */
export class Machine {
  readonly loop: Loop;
  readonly networks = new Set<Network>();

  constructor(nowMs: number) {
    this.loop = new Loop(nowMs);
  }

  turn(): Promise<void> {
    return this.loop.turn(
      () => {
        for (const network of this.networks) network.poll();
      },
      () => {
        for (const network of this.networks) network.drain();
      },
    );
  }

  /** Lets time go by, from timer to timer. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.loop.nowMs() + ms;
    while (this.loop.nextMs <= untilMs) {
      this.loop.moveTo(this.loop.nextMs);
      await this.turn();
    }
    this.loop.moveTo(untilMs);
    await this.turn();
  }

  /** Turns, until every client that reads has read everything. */
  async quiet(): Promise<void> {
    for (let turns = 0; !this.#isQuiet && turns < 5000; turns++) await this.turn();
  }

  get #isQuiet(): boolean {
    if (!this.loop.isQuiet) return false;
    for (const { sockets } of this.networks) for (const { isIdle } of sockets) if (!isIdle) return false;
    return true;
  }
}

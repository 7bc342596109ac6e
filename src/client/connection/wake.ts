import type { Runtime } from '../runtime.ts';
import { Timer } from '../timer.ts';

const beatMs = 1_000;
/** So late, a timer did not only wait its turn: the machine slept, or the page was frozen. */
const gapMs = 2_000;

/**
 * Notices within two seconds that the surroundings have changed: the network is back or gone, the page is
 * seen again, the machine was asleep. Either clock may show the sleep: the monotonic one stops during it
 * on some systems.
 */
export class Wake {
  #unwatch: (() => void) | undefined;
  readonly #timer: Timer;
  readonly #runtime: Runtime;
  readonly #woke: () => void;

  constructor(runtime: Runtime, woke: () => void) {
    this.#timer = new Timer(runtime);
    this.#runtime = runtime;
    this.#woke = woke;
  }

  start(): void {
    if (this.#timer.isSet) return;
    this.#unwatch = this.#runtime.watch?.(this.#woke);
    this.#beat();
  }

  stop(): void {
    this.#timer.stop();
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  #beat(): void {
    const before = this.#clocks();
    this.#timer.set(beatMs, () => {
      const passedMs = this.#clocks().map((ms, clock) => ms - (before[clock] as number));
      this.#beat();
      if (Math.max(...passedMs) >= beatMs + gapMs) this.#woke();
    });
  }

  #clocks(): readonly number[] {
    return [this.#runtime.now(), this.#runtime.monotonicMs()];
  }
}

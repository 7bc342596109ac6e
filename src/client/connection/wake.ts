import { beatMs, gapMs } from '../limits.ts';
import type { Runtime } from '../runtime.ts';
import { Timer } from '../timer.ts';

/**
 * Notices within two seconds that the network is back or gone, that the page is visible again, or that the machine was
 * asleep. Either clock may show the sleep: on some systems the monotonic one stops meanwhile.
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

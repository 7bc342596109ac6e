import type { Runtime, TimerHandle } from '../runtime.ts';

const beatMs = 1_000;
/** So late, a timer did not only wait its turn: the machine slept, or the page was frozen. */
const gapMs = 2_000;

/**
 * Notices within two seconds that the surroundings have changed: the network is back or gone, the page is
 * seen again, the machine was asleep. Either clock may show the sleep: the monotonic one stops during it
 * on some systems.
 */
export class Wake {
  #timer: TimerHandle | undefined;
  #nowMs = 0;
  #monotonicMs = 0;
  #unwatch: (() => void) | undefined;
  readonly #runtime: Runtime;
  readonly #woke: () => void;

  constructor(runtime: Runtime, woke: () => void) {
    this.#runtime = runtime;
    this.#woke = woke;
  }

  start(): void {
    if (this.#timer !== undefined) return;
    this.#unwatch = this.#runtime.watch?.(this.#woke);
    this.#beat();
  }

  stop(): void {
    if (this.#timer !== undefined) this.#runtime.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  #beat(): void {
    this.#nowMs = this.#runtime.now();
    this.#monotonicMs = this.#runtime.monotonicMs();
    this.#timer = this.#runtime.setTimeout(() => {
      const passedMs = Math.max(
        this.#runtime.now() - this.#nowMs,
        this.#runtime.monotonicMs() - this.#monotonicMs,
      );
      this.#beat();
      if (passedMs >= beatMs + gapMs) this.#woke();
    }, beatMs);
  }
}

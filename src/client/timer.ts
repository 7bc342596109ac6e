import type { Runtime, TimerHandle } from './runtime.ts';

/** At most one timer: another one replaces it. */
export class Timer {
  #handle: TimerHandle | undefined;
  readonly #runtime: Pick<Runtime, 'setTimeout' | 'clearTimeout'>;

  constructor(runtime: Pick<Runtime, 'setTimeout' | 'clearTimeout'>) {
    this.#runtime = runtime;
  }

  get isSet(): boolean {
    return this.#handle !== undefined;
  }

  set(delayMs: number, run: () => void): void {
    this.stop();
    this.#handle = this.#runtime.setTimeout(() => {
      this.#handle = undefined;
      run();
    }, delayMs);
  }

  stop(): void {
    this.#runtime.clearTimeout(this.#handle);
    this.#handle = undefined;
  }
}

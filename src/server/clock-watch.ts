import type { Log } from '../log.ts';
import type { Swept } from './environment.ts';

/** Clocks that are kept right are slewed by much less in a second. */
const stepMinMs = 1000;

/**
 * Logs when the wall clock was set while the gateway ran. Tokens expire by it, so a step forward can end all sessions
 * at once, and the log would not say why.
 */
export class ClockWatch implements Swept {
  readonly #log: Pick<Log, 'warn'>;
  readonly #wallMs: () => number;
  readonly #monotonicMs: () => number;
  #aheadMs: number;

  constructor(log: Pick<Log, 'warn'>, wallMs: () => number, monotonicMs: () => number) {
    this.#log = log;
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
    this.#aheadMs = this.#ahead();
  }

  sweep(): void {
    const aheadMs = this.#ahead();
    const stepMs = aheadMs - this.#aheadMs;
    this.#aheadMs = aheadMs;
    if (Math.abs(stepMs) < stepMinMs) return;
    this.#log.warn(
      { seconds: Math.round(stepMs / 1000) },
      `the clock of this machine was set ${stepMs > 0 ? 'forward' : 'back'}, or the machine slept: tokens expire by it`,
    );
  }

  /** How far the wall clock is ahead of the monotonic one. */
  #ahead(): number {
    return this.#wallMs() - this.#monotonicMs();
  }
}

import { steadyNowMs } from '../../clock.ts';
import type { Warnings } from './warnings.ts';

/** Clocks that are kept right differ by less. */
const toleranceMs = 5000;

/** The clock that all nodes of a Redis share. Until the server has told the time, it is that of this process. */
export class SharedClock {
  readonly #warnings: Warnings;
  #aheadMs: number | undefined;

  constructor(warnings: Warnings) {
    this.#warnings = warnings;
  }

  readonly nowMs = (): number => steadyNowMs() + (this.#aheadMs ?? 0);

  /** For the server; 0: it has not told the time yet. */
  get toldMs(): number {
    return this.#aheadMs === undefined ? 0 : this.nowMs();
  }

  /** From then on the clock does not jump, whatever the server says. */
  learn(nowMs: number): void {
    if (this.#aheadMs !== undefined) return;
    this.#aheadMs = nowMs - steadyNowMs();
    if (Math.abs(this.#aheadMs) > toleranceMs) this.#warnings.clock(this.#aheadMs);
  }
}

interface Budget {
  lines: number;
  atMs: number;
  unlogged: number;
}

export interface LineRate {
  /** Lines of each kind that are logged at once. */
  readonly linesAtOnce: number;
  /** After these, one line per this interval. */
  readonly everyMs: number;
}

/** Limits how much clients can make the gateway log. Every kind is remembered, so there must be few. */
export class LineBudget {
  readonly #rate: LineRate;
  readonly #monotonicMs: () => number;
  readonly #budgets = new Map<string, Budget>();

  constructor(rate: LineRate, monotonicMs: () => number) {
    this.#rate = rate;
    this.#monotonicMs = monotonicMs;
  }

  /**
   * Takes a line of this kind. Returns undefined if it must not be logged; otherwise fields for it, which say how many
   * lines were left out before.
   */
  take(kind: string): { readonly unlogged?: number } | undefined {
    const budget = this.#refilled(kind);
    if (budget.lines < 1) {
      budget.unlogged++;
      return undefined;
    }
    budget.lines--;
    const { unlogged } = budget;
    budget.unlogged = 0;
    return unlogged === 0 ? {} : { unlogged };
  }

  #refilled(kind: string): Budget {
    const { linesAtOnce, everyMs } = this.#rate;
    const nowMs = this.#monotonicMs();
    let budget = this.#budgets.get(kind);
    if (budget === undefined) {
      budget = { lines: linesAtOnce, atMs: nowMs, unlogged: 0 };
      this.#budgets.set(kind, budget);
    }
    budget.lines = Math.min(linesAtOnce, budget.lines + (nowMs - budget.atMs) / everyMs);
    budget.atMs = nowMs;
    return budget;
  }
}

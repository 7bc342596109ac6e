import type { Turns } from '../../fanout/turns.ts';

/**
 * The time that one turn of the event loop spends on work that many clients can ask for at once. The rest of the work
 * waits for the next turns, in its order. Work that has begun is finished, and each turn does at least one piece.
 */
export class TurnBudget {
  readonly #turns: Turns;
  readonly #perTurnMs: number;
  readonly #waiting: (() => void)[] = [];
  #spentMs = 0;
  #turnAsked = false;

  constructor(turns: Turns, perTurnMs: number) {
    this.#turns = turns;
    this.#perTurnMs = perTurnMs;
  }

  /** Whether `run` would work now. */
  get isFree(): boolean {
    return this.#waiting.length === 0 && this.#spentMs < this.#perTurnMs;
  }

  /** Does `now` at once, or `later` in one of the next turns. */
  run(now: () => void, later = now): void {
    if (this.isFree) this.#do(now);
    else this.#waiting.push(later);
    if (this.#spentMs > 0 || this.#waiting.length > 0) this.#askForTurn();
  }

  /** For work that has had its time in this turn. */
  later(work: () => void): void {
    this.#waiting.push(work);
    this.#askForTurn();
  }

  /**
   * Works piece by piece until `piece` returns false: at once for the time of a turn, then in the next turns, between
   * the work of others. Resolves when it is done, or rejects with what a piece throws; undefined: it is done already.
   */
  inPieces(piece: () => boolean): Promise<void> | undefined {
    if (this.#workOn(piece)) return undefined;
    return new Promise((resolve, reject) => {
      const goOn = () => {
        try {
          if (this.#workOn(piece)) resolve();
          else this.later(goOn);
        } catch (error) {
          reject(error);
        }
      };
      this.later(goOn);
    });
  }

  /** The same with one item after the other. `items` must not change meanwhile. */
  each<T>(items: readonly T[], work: (item: T) => void): void {
    let next = 0;
    void this.inPieces(() => {
      if (next < items.length) work(items[next++] as T);
      return next < items.length;
    });
  }

  /** Returns whether all of it is done, rather than the time of a turn over. */
  #workOn(piece: () => boolean): boolean {
    const startMs = this.#turns.nowMs();
    while (piece()) if (this.#turns.nowMs() - startMs >= this.#perTurnMs) return false;
    return true;
  }

  /** Other work has taken this much of the turn. */
  charge(ms: number): void {
    this.#spentMs += ms;
    if (ms > 0) this.#askForTurn();
  }

  #do(work: () => void): void {
    const startMs = this.#turns.nowMs();
    const spentMs = this.#spentMs;
    try {
      work();
    } finally {
      // Work that ran inside this work is part of its time.
      this.#spentMs = spentMs + this.#turns.nowMs() - startMs;
    }
  }

  #askForTurn(): void {
    if (this.#turnAsked) return;
    this.#turnAsked = true;
    this.#turns.beforeTurnEnd(() => {
      this.#turnAsked = false;
      this.#spentMs = 0;
      try {
        this.#workOff();
      } finally {
        if (this.#spentMs > 0 || this.#waiting.length > 0) this.#askForTurn();
      }
    });
  }

  /** Work that throws is done: the rest of what waits comes in the next turn. */
  #workOff(): void {
    const waiting = this.#waiting;
    let count = 0;
    try {
      while (count < waiting.length && (count === 0 || this.#spentMs < this.#perTurnMs)) {
        this.#do(waiting[count++] as () => void);
      }
    } finally {
      waiting.splice(0, count);
    }
  }
}

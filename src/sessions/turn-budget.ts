import type { Turns } from '../fanout/schedule.ts';

/**
 * Work that many clients can ask for at once: all of it in one turn of the event loop would keep everybody else waiting.
 * Each turn has so much time for it, the rest waits for the next turns, in the order of asking. What has begun is
 * finished, and something is done in every turn.
 */
export class TurnBudget {
  readonly #turns: Turns;
  readonly #perTurnMs: number;
  #waiting: (() => void)[] = [];
  #spentMs = 0;
  #turnAsked = false;

  constructor(turns: Turns, perTurnMs: number) {
    this.#turns = turns;
    this.#perTurnMs = perTurnMs;
  }

  /** Whether `run` would do it now. */
  get isFree(): boolean {
    return this.#waiting.length === 0 && this.#spentMs < this.#perTurnMs;
  }

  /** Now, or in one of the next turns; `later` is what is to be done then, where that is not the same. */
  run(now: () => void, later = now): void {
    if (this.isFree) this.#do(now);
    else this.#waiting.push(later);
    if (this.#spentMs > 0 || this.#waiting.length > 0) this.#askForTurn();
  }

  /** In one of the next turns: for work that has had its time in this one. */
  later(work: () => void): void {
    this.#waiting.push(work);
    this.#askForTurn();
  }

  #do(work: () => void): void {
    const startMs = this.#turns.nowMs();
    const spentMs = this.#spentMs;
    work();
    // What the work has had done within it is part of it.
    this.#spentMs = spentMs + this.#turns.nowMs() - startMs;
  }

  #askForTurn(): void {
    if (this.#turnAsked) return;
    this.#turnAsked = true;
    this.#turns.beforeTurnEnd(() => {
      this.#turnAsked = false;
      this.#spentMs = 0;
      this.#workOff();
      if (this.#spentMs > 0 || this.#waiting.length > 0) this.#askForTurn();
    });
  }

  #workOff(): void {
    const waiting = this.#waiting;
    let done = 0;
    while (done < waiting.length && (done === 0 || this.#spentMs < this.#perTurnMs)) {
      this.#do(waiting[done++] as () => void);
    }
    this.#waiting = waiting.slice(done);
  }
}

import type { Payer } from '../topics/payer.ts';
import { addressOf, countIn } from './question-counts.ts';

/** The questions that wait for one of a number of places, and how many places each payer has. */
export class QuestionQueue {
  /** Functions that start the questions of each payer, in order. The first payer had its last turn the earliest. */
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #taken = new Map<string, number>();
  #size = 0;
  #takenByAll = 0;

  /** The number of questions that wait. */
  get size(): number {
    return this.#size;
  }

  /** The number of places that are taken. */
  get taken(): number {
    return this.#takenByAll;
  }

  /** Each `start` may be added once. */
  add(payer: Payer, start: () => void): void {
    const whose = addressOf(payer);
    const own = this.#waiting.get(whose);
    if (own === undefined) this.#waiting.set(whose, new Set([start]));
    else own.add(start);
    this.#size++;
  }

  /** Removes a question that waits or has a place. */
  remove(payer: Payer, start: () => void): void {
    const whose = addressOf(payer);
    if (!this.#leave(whose, start)) this.#take(whose, -1);
  }

  /** Starts the next question, if one waits. */
  startNext(): void {
    const whose = this.#nextPayer();
    const own = whose === undefined ? undefined : this.#waiting.get(whose);
    const [start] = own ?? [];
    if (whose === undefined || own === undefined || start === undefined) return;
    this.#leave(whose, start);
    // Its next question comes after those of others with as many places.
    if (own.size > 0) {
      this.#waiting.delete(whose);
      this.#waiting.set(whose, own);
    }
    this.#take(whose, 1);
    start();
  }

  /** Of the payers with the fewest places, the first. */
  #nextPayer(): string | undefined {
    let next: string | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const whose of this.#waiting.keys()) {
      const count = this.#taken.get(whose) ?? 0;
      if (count === 0) return whose;
      if (count >= fewest) continue;
      next = whose;
      fewest = count;
    }
    return next;
  }

  #leave(whose: string, start: () => void): boolean {
    const own = this.#waiting.get(whose);
    if (own?.delete(start) !== true) return false;
    if (own.size === 0) this.#waiting.delete(whose);
    this.#size--;
    return true;
  }

  #take(whose: string, by: 1 | -1): void {
    countIn(this.#taken, whose, by);
    this.#takenByAll += by;
  }
}

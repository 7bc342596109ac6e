import { isPattern } from '../topics/topic-name.ts';

/** Which topics have subscribers by name. A pattern occupies none. */
export class Occupancy {
  readonly #counts = new Map<string, number>();

  get topics(): readonly string[] {
    return [...this.#counts.keys()];
  }

  /** Whether it is occupied from now on, and was not before. */
  subscribed(target: string): boolean {
    if (isPattern(target)) return false;
    const count = this.#counts.get(target) ?? 0;
    this.#counts.set(target, count + 1);
    return count === 0;
  }

  /** Whether it is vacated. */
  unsubscribed(target: string): boolean {
    const count = this.#counts.get(target);
    if (count === undefined) return false;
    if (count > 1) this.#counts.set(target, count - 1);
    else this.#counts.delete(target);
    return count === 1;
  }
}

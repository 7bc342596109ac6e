/**
 * The keys of a state topic that the members of a view may hold a value of. A pattern's view gets its feed of a topic
 * late, when values were sent already, so the members are taken to hold every key: to remove a key that they do not
 * hold does no harm.
 */
export class HeldKeys {
  /** `#all`: the keys that they do not hold. Otherwise those that they do. */
  readonly #keys = new Set<string>();
  readonly #all: boolean;

  constructor(all: boolean) {
    this.#all = all;
  }

  add(key: string): void {
    if (this.#all) this.#keys.delete(key);
    else this.#keys.add(key);
  }

  /** Returns whether they may have held it. */
  delete(key: string): boolean {
    if (!this.#all) return this.#keys.delete(key);
    const size = this.#keys.size;
    return this.#keys.add(key).size > size;
  }

  clear(): void {
    this.#keys.clear();
  }
}

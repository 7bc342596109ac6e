import type { StoredPublication } from './publication.ts';

export const stateMaxKeys = 10_000;

/** The newest publication per key of a state topic, apart from the ring. */
export class State {
  readonly #byKey = new Map<string, StoredPublication>();
  #bytes = 0;

  get size(): number {
    return this.#byKey.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** Takes the newest value of its key, or, when it says `removed`, lets go of the key. */
  apply(publication: StoredPublication): void {
    const key = publication.key ?? '';
    this.delete(key);
    if (publication.removed === true) return;
    this.#byKey.set(key, publication);
    this.#bytes += publication.bytes;
  }

  delete(key: string): void {
    const old = this.#byKey.get(key);
    if (old === undefined) return;
    this.#byKey.delete(key);
    this.#bytes -= old.bytes;
  }

  get(key: string): StoredPublication | undefined {
    return this.#byKey.get(key);
  }

  /** Every key's newest publication, the longest unchanged first. */
  values(): IterableIterator<StoredPublication> {
    return this.#byKey.values();
  }

  clear(): void {
    this.#byKey.clear();
    this.#bytes = 0;
  }
}

import type { ReceivedPublication } from '../publication.ts';

interface Entry {
  readonly key?: string;
  readonly removed?: boolean;
  detach?(): unknown;
}

/**
 * A state topic as a map: the newest publication of each key. A snapshot replaces everything once its last
 * page is there; until then readers see the old entries. A publication with `removed` deletes its key.
 */
export class LiveMap<P extends Entry = ReceivedPublication> {
  #entries = new Map<string, P>();
  /** `#entries` was handed out: the next change is made in a copy. */
  #isGiven = false;
  #pages: Map<string, P> | undefined;

  /**
   * The entries now. The map is never changed later, and is the same one until something changes. Only a map that was
   * read is copied.
   */
  get entries(): ReadonlyMap<string, P> {
    this.#isGiven = true;
    return this.#entries;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Adds a page of a snapshot. Returns whether it was the last one, and the map is new. */
  page(publications: readonly P[], page: { readonly first: boolean; readonly last: boolean }): boolean {
    if (page.first) this.#pages = new Map();
    // Without a first page this is the rest of a snapshot whose beginning went to another connection.
    if (!this.#pages) return false;
    for (const publication of publications) put(this.#pages, publication);
    if (!page.last) return false;
    this.#replace(this.#pages);
    return true;
  }

  apply(publications: readonly P[]): void {
    if (publications.length === 0) return;
    if (this.#isGiven) this.#entries = new Map(this.#entries);
    this.#isGiven = false;
    for (const publication of publications) put(this.#entries, publication);
  }

  clear(): void {
    this.#replace(new Map());
  }

  #replace(entries: Map<string, P>): void {
    this.#entries = entries;
    this.#isGiven = false;
    this.#pages = undefined;
  }
}

function put<P extends Entry>(map: Map<string, P>, publication: P): void {
  const key = publication.key ?? '';
  if (publication.removed) map.delete(key);
  else {
    publication.detach?.();
    map.set(key, publication);
  }
}

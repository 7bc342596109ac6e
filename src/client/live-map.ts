import type { ReceivedPublication } from './received.ts';

/**
 * A state topic as a map: the newest publication of each key. A snapshot replaces everything once its last page is
 * there; until then readers see what was before. A publication with `removed` deletes its key.
 */
export class LiveMap {
  #entries = new Map<string, ReceivedPublication>();
  #pages: Map<string, ReceivedPublication> | undefined;

  /** Changes in place with each batch; a copy per batch would cost a topic of 10 000 keys too much. */
  get entries(): ReadonlyMap<string, ReceivedPublication> {
    return this.#entries;
  }

  /** A page of a snapshot. Answers whether it was the last one and the map is new. */
  page(
    publications: readonly ReceivedPublication[],
    page: { readonly first: boolean; readonly last: boolean },
  ): boolean {
    if (page.first) this.#pages = new Map();
    // Without a first page this is the rest of a snapshot whose beginning went to another connection.
    if (!this.#pages) return false;
    for (const publication of publications) put(this.#pages, publication);
    if (!page.last) return false;
    this.#entries = this.#pages;
    this.#pages = undefined;
    return true;
  }

  apply(publications: readonly ReceivedPublication[]): void {
    for (const publication of publications) put(this.#entries, publication);
  }

  clear(): void {
    this.#entries = new Map();
    this.#pages = undefined;
  }
}

function put(map: Map<string, ReceivedPublication>, publication: ReceivedPublication): void {
  const key = publication.key ?? '';
  if (publication.removed) map.delete(key);
  else map.set(key, publication.detach());
}

import type { ReceivedPublication } from '../publication.ts';

export interface Entry {
  readonly key?: string | undefined;
  readonly removed?: boolean | undefined;
  detach?(): unknown;
}

/**
 * A state topic as a map: the newest publication of each key. A snapshot replaces all entries when its last page has
 * come; until then readers see the old ones. A publication with `removed` deletes its key.
 */
export class LiveMap<P extends Entry = ReceivedPublication> {
  /** @internal */
  own = new Map<string, P>();
  /** `own` was read: the next change copies it first. */
  #isGiven = false;
  /** @internal The entries of a snapshot that is not complete. */
  pages: Map<string, P> | undefined;

  /**
   * The current entries. The map never changes: after a change this is another map. Only a map that was read is copied.
   */
  get entries(): ReadonlyMap<string, P> {
    this.#isGiven = true;
    return this.own;
  }

  /** Adds a page of a snapshot. Returns whether it was the last one, so that the entries have changed. */
  page(publications: readonly P[], page: { readonly first: boolean; readonly last: boolean }): boolean {
    if (page.first) this.pages = new Map();
    // Without a first page this is the rest of a snapshot that began on another connection.
    if (!this.pages) return false;
    for (const publication of publications) put(this.pages, publication);
    if (!page.last) return false;
    this.#replace(this.pages);
    return true;
  }

  apply(publications: readonly P[]): void {
    if (publications.length === 0) return;
    if (this.#isGiven) this.own = new Map(this.own);
    this.#isGiven = false;
    for (const publication of publications) put(this.own, publication);
  }

  clear(): void {
    this.#replace(new Map());
  }

  #replace(entries: Map<string, P>): void {
    this.own = entries;
    this.#isGiven = false;
    this.pages = undefined;
  }
}

/** A copy with the same entries, and the same pages of an incomplete snapshot. */
export function copyOf<P extends Entry>(map: LiveMap<P>): LiveMap<P> {
  const { own, pages } = map;
  return Object.assign(new LiveMap<P>(), { own: new Map(own), pages: pages && new Map(pages) });
}

function put<P extends Entry>(map: Map<string, P>, publication: P): void {
  const key = publication.key ?? '';
  if (publication.removed) map.delete(key);
  else {
    publication.detach?.();
    map.set(key, publication);
  }
}

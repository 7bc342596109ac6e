interface Item<K, V> {
  readonly key: K;
  value: V;
  older: Item<K, V> | undefined;
  newer: Item<K, V> | undefined;
}

/**
 * A map that finds its oldest entry in O(1). A `Map` keeps the same order, but the search for its first entry walks
 * over all entries deleted before it: with 10 000 message ids, 40 us each time.
 */
export class LinkedMap<K, V> {
  readonly #items = new Map<K, Item<K, V>>();
  #oldest: Item<K, V> | undefined;
  #newest: Item<K, V> | undefined;

  get size(): number {
    return this.#items.size;
  }

  /** Set longest ago. */
  get oldest(): { readonly key: K; readonly value: V } | undefined {
    return this.#oldest;
  }

  get(key: K): V | undefined {
    return this.#items.get(key)?.value;
  }

  /** Makes it the newest, whether it is here or not. */
  set(key: K, value: V): void {
    const existing = this.#items.get(key);
    if (existing === undefined) {
      const item = { key, value, older: undefined, newer: undefined };
      this.#items.set(key, item);
      this.#append(item);
    } else {
      existing.value = value;
      if (existing === this.#newest) return;
      this.#unlink(existing);
      this.#append(existing);
    }
  }

  delete(key: K): void {
    const item = this.#items.get(key);
    if (item === undefined) return;
    this.#items.delete(key);
    this.#unlink(item);
  }

  /** The newest first. */
  *newestFirst(): IterableIterator<readonly [K, V]> {
    for (let item = this.#newest; item !== undefined; item = item.older) yield [item.key, item.value];
  }

  /** The oldest first; not those behind one that is set again before the next is asked for: it is the newest then. */
  *oldestFirst(): IterableIterator<V> {
    for (let item = this.#oldest; item !== undefined; item = item.newer) yield item.value;
  }

  #append(item: Item<K, V>): void {
    item.older = this.#newest;
    item.newer = undefined;
    if (this.#newest === undefined) this.#oldest = item;
    else this.#newest.newer = item;
    this.#newest = item;
  }

  #unlink({ older, newer }: Item<K, V>): void {
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
  }
}

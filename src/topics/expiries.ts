/** When the value at this offset expires. */
export interface Expiry {
  readonly atMs: number;
  readonly offset: number;
  readonly key: string;
}

/** Expiries, found soonest first: a binary heap. Adding and taking cost the logarithm of their number. */
export class Expiries {
  #heap: Expiry[] = [];

  get size(): number {
    return this.#heap.length;
  }

  add(expiry: Expiry): void {
    const heap = this.#heap;
    let at = heap.length;
    for (; at > 0; ) {
      const parent = (at - 1) >> 1;
      if ((heap[parent] as Expiry).atMs <= expiry.atMs) break;
      heap[at] = heap[parent] as Expiry;
      at = parent;
    }
    heap[at] = expiry;
  }

  /** Takes out the soonest one that is due at this time (milliseconds since 1970), if there is one. */
  takeDue(nowMs: number): Expiry | undefined {
    const soonest = this.#heap[0];
    if (soonest === undefined || soonest.atMs > nowMs) return undefined;
    const last = this.#heap.pop() as Expiry;
    if (this.#heap.length > 0) this.#sink(last);
    return soonest;
  }

  /** Keeps only the expiries for which `isWanted` returns true. */
  retain(isWanted: (expiry: Expiry) => boolean): void {
    // A sorted array is a heap.
    this.#heap = this.#heap.filter(isWanted).sort((a, b) => a.atMs - b.atMs);
  }

  clear(): void {
    this.#heap = [];
  }

  /** Puts it at the root and restores the order of the heap. */
  #sink(expiry: Expiry): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && right.atMs < (heap[child] as Expiry).atMs) child++;
      if ((heap[child] as Expiry).atMs >= expiry.atMs) break;
      heap[at] = heap[child] as Expiry;
      at = child;
    }
    heap[at] = expiry;
  }
}

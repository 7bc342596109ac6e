const firstSlabBytes = 256;
/** Of those that have cut nothing yet: each topic has one, also that of a user who is never told anything. */
const noSlab = new Uint8Array(0);

/**
 * Cuts small arrays from larger ones. An array of its own costs 2 us in Node 20, mostly for the collector's book-keeping, a piece of
 * a slab a fifth of that (`bench -- unicast`). What is left of a slab keeps all of it alive: pieces of one
 * `Slabs` should end at about the same time.
 */
export class Slabs {
  readonly #maxBytes: number;
  #slab = noSlab;
  #used = 0;

  /** Slabs grow to `maxBytes`, so that who takes little does not keep much. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** So many bytes, all 0. More than a quarter of a slab is an array of its own. */
  take(length: number): Uint8Array {
    if (4 * length > this.#maxBytes) return new Uint8Array(length);
    if (this.#used + length > this.#slab.length) {
      const bytes = Math.max(firstSlabBytes, 4 * length, 2 * this.#slab.length);
      this.#slab = new Uint8Array(Math.min(this.#maxBytes, bytes));
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    return this.#slab.subarray(start, this.#used);
  }
}

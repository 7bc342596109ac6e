/**
 * Cuts small arrays from larger ones. An array of its own costs 2 us in Node 20, mostly for the collector's book-keeping, a piece of
 * a slab a fifth of that (`bench -- unicast`). What is left of a slab keeps all of it alive: the pieces should end at about
 * the same time, soon.
 */
export class Slabs {
  readonly #slabBytes: number;
  #slab = new Uint8Array(0);
  #used = 0;

  constructor(slabBytes: number) {
    this.#slabBytes = slabBytes;
  }

  /** So many bytes, all 0. More than a quarter of a slab is an array of its own. */
  take(length: number): Uint8Array {
    if (4 * length > this.#slabBytes) return new Uint8Array(length);
    if (this.#used + length > this.#slab.length) {
      this.#slab = new Uint8Array(this.#slabBytes);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    return this.#slab.subarray(start, this.#used);
  }
}

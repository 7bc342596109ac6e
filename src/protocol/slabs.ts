/**
 * Cuts small arrays from larger ones. An array of its own costs 2 us in Node 20, mostly for the collector's
 * book-keeping, a piece of a slab a fifth of that (`bench -- unicast`). What is left of a slab keeps all of it alive:
 * the pieces should end at about the same time, soon.
 */
export class Slabs {
  readonly #slabBytes: number;
  #slab = new Uint8Array(0);
  #used = 0;
  /** What `open` gave last, and where in it. */
  #opened = this.#slab;
  #start = 0;

  constructor(slabBytes: number) {
    this.#slabBytes = slabBytes;
  }

  /** An array of `length` bytes, all 0. More than a quarter of a slab is an array of its own. */
  take(length: number): Uint8Array {
    const bytes = this.open(length);
    return bytes === this.#slab ? this.close(this.#start + length) : bytes;
  }

  /**
   * For a piece whose length is known once it is written: an array with room for this many bytes from `start` on, until
   * `close`.
   */
  open(maxLength: number): Uint8Array {
    if (4 * maxLength > this.#slabBytes) {
      this.#start = 0;
      this.#opened = new Uint8Array(maxLength);
      return this.#opened;
    }
    if (this.#used + maxLength > this.#slab.length) {
      this.#slab = new Uint8Array(this.#slabBytes);
      this.#used = 0;
    }
    this.#start = this.#used;
    this.#opened = this.#slab;
    return this.#slab;
  }

  get start(): number {
    return this.#start;
  }

  /** The piece that was opened, up to `end`. */
  close(end: number): Uint8Array {
    if (this.#opened === this.#slab) {
      this.#used = end;
      return this.#slab.subarray(this.#start, end);
    }
    const bytes = this.#opened;
    this.#opened = this.#slab;
    // One of its own has no other pieces that what is left of it could be for.
    return 4 * end < 3 * bytes.length ? bytes.slice(0, end) : bytes.subarray(0, end);
  }
}

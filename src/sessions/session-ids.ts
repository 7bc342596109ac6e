import { randomFillSync } from 'node:crypto';

/** 72 bits can't be guessed. A multiple of 3, so that base64 has no padding. */
const idBytes = 9;
const idsAtOnce = 256;

/**
 * Makes ids of sessions. Random bytes are fetched for many ids at once, as a call for one takes as long, and into the
 * same buffer: new ones take a microsecond a connection (`bench -- storm`).
 */
export class SessionIds {
  readonly #random = Buffer.alloc(idsAtOnce * idBytes);
  #used = this.#random.length;

  next(): string {
    if (this.#used === this.#random.length) {
      randomFillSync(this.#random);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += idBytes;
    return this.#random.toString('base64url', start, this.#used);
  }
}

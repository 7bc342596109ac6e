import { randomBytes } from 'node:crypto';

/** 72 bits can't be guessed. A multiple of 3, so that base64 has no padding. */
const idBytes = 9;
const idsAtOnce = 256;

/** Makes ids of sessions. Random bytes are fetched for many ids at once: a call for one takes as long. */
export class SessionIds {
  #random = Buffer.alloc(0);
  #used = 0;

  next(): string {
    if (this.#used === this.#random.length) {
      this.#random = randomBytes(idsAtOnce * idBytes);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += idBytes;
    return this.#random.toString('base64url', start, this.#used);
  }
}

const slabMaxBytes = 2048;

/**
 * Copies payloads out of a body. A ring keeps a payload, maybe for long, and counts its bytes only: it must not keep the
 * body alive. Small ones of one body share slabs, as an allocation costs more than copying (`bench -- http`): what
 * survives of a slab keeps 2 KiB alive at the most.
 */
export class PayloadCopies {
  readonly #body: Uint8Array;
  #slab = new Uint8Array(0);
  #used = 0;

  constructor(body: Uint8Array) {
    this.#body = body;
  }

  /** `bytes` itself, where it is no part of the body, or most of it. */
  copy(bytes: Uint8Array): Uint8Array {
    const { buffer } = this.#body;
    if (bytes.buffer !== buffer || 2 * bytes.length >= buffer.byteLength) return bytes;
    if (2 * bytes.length > slabMaxBytes) return bytes.slice();
    if (this.#used + bytes.length > this.#slab.length) {
      this.#slab = new Uint8Array(Math.min(slabMaxBytes, this.#body.length));
      this.#used = 0;
    }
    const copy = this.#slab.subarray(this.#used, this.#used + bytes.length);
    copy.set(bytes);
    this.#used += bytes.length;
    return copy;
  }
}

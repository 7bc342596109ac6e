/** Less is not given back. */
const smallestBytes = 256;
/** What was made room for is given back when no more than such a part of it is used. */
const sparse = 4;

/**
 * Bytes, first in, first out, in a circular array that grows to what is needed. Positions count all bytes that were ever
 * pushed. What is read is a copy, as the array is written over.
 */
export class ByteQueue {
  #bytes = new Uint8Array(0);
  /** The positions of the oldest byte and behind the newest, and where in the array the oldest is. */
  #begin = 0;
  #end = 0;
  #head = 0;

  get begin(): number {
    return this.#begin;
  }

  get end(): number {
    return this.#end;
  }

  /** What it keeps in memory. */
  get capacity(): number {
    return this.#bytes.length;
  }

  push(bytes: Uint8Array): void {
    const length = this.#end - this.#begin + bytes.length;
    if (length > this.#bytes.length) this.#resize(Math.max(smallestBytes, length, 1.5 * this.#bytes.length));
    const at = this.#indexOf(this.#end);
    const first = this.#bytes.length - at;
    if (bytes.length <= first) {
      this.#bytes.set(bytes, at);
    } else {
      this.#bytes.set(bytes.subarray(0, first), at);
      this.#bytes.set(bytes.subarray(first), 0);
    }
    this.#end += bytes.length;
  }

  /** Lets go of what lies before this position. */
  shiftTo(position: number): void {
    this.#head = this.#indexOf(position);
    this.#begin = position;
  }

  /** Copies what lies behind `position` into all of `target`. */
  read(position: number, target: Uint8Array): void {
    const at = this.#indexOf(position);
    const first = Math.min(target.length, this.#bytes.length - at);
    target.set(this.#bytes.subarray(at, at + first));
    if (first < target.length) target.set(this.#bytes.subarray(0, target.length - first), first);
  }

  /** Gives back what is hardly used. */
  trim(): void {
    const length = this.#end - this.#begin;
    if (this.#bytes.length > smallestBytes && sparse * length <= this.#bytes.length)
      this.#resize(Math.max(smallestBytes, 1.5 * length));
  }

  #indexOf(position: number): number {
    const at = this.#head + position - this.#begin;
    return at < this.#bytes.length ? at : at - this.#bytes.length;
  }

  #resize(capacity: number): void {
    const bytes = new Uint8Array(Math.ceil(capacity));
    this.read(this.#begin, bytes.subarray(0, this.#end - this.#begin));
    this.#bytes = bytes;
    this.#head = 0;
  }
}

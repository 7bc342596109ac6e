import type { BesideFields } from '../protocol/publication.ts';
import type { StoredPublication } from './publication.ts';

/** Numbers kept per publication: where its bytes end, when it was published, what it costs, its `seq`. */
const factsEach = 4;
const factsBytes = factsEach * Float64Array.BYTES_PER_ELEMENT;

/** The bytes that one publication takes in a segment. */
export function roomOf(encodedBytes: number): number {
  return encodedBytes + factsBytes;
}

/**
 * Consecutive encoded publications, and facts that the encoding does not hold. Encodings fill the buffer from the
 * front, facts from the back: arrays that grow would be most of what survives a scavenge, and so of what the garbage
 * collector marks and compacts (`bench -- unicast --gaps`).
 */
export class Segment {
  readonly bytes: Uint8Array;
  /** Does not keep the segment from being collected. */
  readonly weakly = new WeakRef<Segment>(this);
  /** The number of publications that were pushed before its first. */
  first = 0;
  count = 0;
  readonly #facts: Float64Array;
  /** By place in the segment; most publications have none. */
  #apart: Map<number, BesideFields> | undefined;

  /** As long as a multiple of 8. */
  constructor(memory: ArrayBufferLike) {
    this.bytes = new Uint8Array(memory);
    this.#facts = new Float64Array(memory);
  }

  /** Where the bytes of the one at this place begin. */
  begin(place: number): number {
    return place === 0 ? 0 : this.end(place - 1);
  }

  end(place: number): number {
    return this.#facts[this.#factsOf(place)] as number;
  }

  encoded(place: number): Uint8Array {
    return this.bytes.subarray(this.begin(place), this.end(place));
  }

  publishedAtMs(place: number): number {
    return this.#facts[this.#factsOf(place) + 1] as number;
  }

  cost(place: number): number {
    return this.#facts[this.#factsOf(place) + 2] as number;
  }

  seq(place: number): number {
    return this.#facts[this.#factsOf(place) + 3] as number;
  }

  apart(place: number): BesideFields | undefined {
    return this.#apart?.get(place);
  }

  hasRoom(encodedBytes: number): boolean {
    const room = this.bytes.length - this.count * factsBytes - this.begin(this.count);
    return roomOf(encodedBytes) <= room;
  }

  push({ publishedAtMs, bytes, seq, apart }: StoredPublication, encoded: Uint8Array): void {
    const place = this.count++;
    const begin = this.begin(place);
    this.bytes.set(encoded, begin);
    if (apart !== undefined) {
      this.#apart ??= new Map();
      this.#apart.set(place, apart);
    }
    const facts = this.#factsOf(place);
    this.#facts[facts] = begin + encoded.length;
    this.#facts[facts + 1] = publishedAtMs;
    this.#facts[facts + 2] = bytes;
    this.#facts[facts + 3] = seq;
  }

  /** Empties the segment for reuse. */
  clear(): void {
    this.count = 0;
    this.#apart = undefined;
  }

  #factsOf(place: number): number {
    return this.#facts.length - factsEach * (place + 1);
  }
}

import { protobufCodec } from '../protocol/protobuf/codec.ts';
import type { BesideFields } from '../protocol/publication.ts';
import { StoredPublication } from './publication.ts';

/** A ring grows by what it holds, in segments from the one size to the other: many rings may grow at the same time. */
const segmentBytes = { least: 256, most: 16_384 };
/** Segments are as large as multiples of this: one whose publication left fits another that is a little larger. */
const stepBytes = 64;
/** What is left of a ring is packed anew when it fills no more than such a part of its segment. */
const sparse = 4;

/** Numbers kept of each: where its bytes end, when it was published, what it costs, its `seq`. */
const factsEach = 4;
const factsBytes = factsEach * Float64Array.BYTES_PER_ELEMENT;

/** What one takes of a segment. */
function roomOf(encodedBytes: number): number {
  return encodedBytes + factsBytes;
}

/**
 * Encoded publications that follow each other, and what their encoding does not say. The ones are written from the
 * front, the others from the back of the same buffer: arrays that grow are most of what outlives a scavenge, and so of
 * what marks and compacts the heap (`bench -- unicast --gaps`).
 */
class Segment {
  readonly bytes: Uint8Array;
  /** How many were ever pushed before its first. */
  first = 0;
  count = 0;
  readonly #facts: Float64Array;
  /** By their place in the segment, of those that have any. */
  #apart: Map<number, BesideFields> | undefined;

  constructor(room: number) {
    const length = Math.ceil(room / stepBytes) * stepBytes;
    this.#facts = new Float64Array(length / Float64Array.BYTES_PER_ELEMENT);
    this.bytes = new Uint8Array(this.#facts.buffer);
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

  /** Empty, it may be used again. */
  clear(): void {
    this.count = 0;
    this.#apart = undefined;
  }

  #factsOf(place: number): number {
    return this.#facts.length - factsEach * (place + 1);
  }
}

/**
 * The publications of one topic, first in, first out, as bytes: their protobuf encoding, one after the other, and what
 * that does not say beside it. As objects they would take two to three times the memory, and be visited and moved by
 * the garbage collector again and again (`bench -- memory`, `bench -- unicast`). Segments are used again.
 */
export class PackedPublications {
  #segments: Segment[] = [];
  #spare: Segment | undefined;
  #topic = '';
  /** What all that are held take of their segments. */
  #room = 0;
  #pushed = 0;
  #shifted = 0;

  get count(): number {
    return this.#pushed - this.#shifted;
  }

  /** The bytes of its segments. */
  get capacity(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes.length, this.#spare?.bytes.length ?? 0);
  }

  push(publication: StoredPublication): void {
    this.#topic = publication.topic;
    const encoded = publication.encoded(protobufCodec);
    const last = this.#segments[this.#segments.length - 1];
    const segment = last?.hasRoom(encoded.length) ? last : this.#begin(encoded.length);
    segment.push(publication, encoded);
    this.#room += roomOf(encoded.length);
    this.#pushed++;
  }

  /** Drops the oldest and returns its cost in bytes. */
  shift(): number {
    const segment = this.#segments[0] as Segment;
    const place = this.#shifted++ - segment.first;
    const cost = segment.cost(place);
    this.#room -= roomOf(segment.end(place) - segment.begin(place));
    if (place + 1 === segment.count) {
      this.#segments.shift();
      segment.clear();
      this.#keepSpare(segment);
    }
    return cost;
  }

  /** The `seq` of the oldest. */
  get oldestSeq(): number | undefined {
    const segment = this.#segments[0];
    return segment?.seq(this.#shifted - segment.first);
  }

  /** The `seq` of the one at this index, 0 the oldest. */
  seqAt(index: number): number {
    const { segment, place } = this.#find(index);
    return segment.seq(place);
  }

  /** When the oldest was published, milliseconds since 1970. */
  get oldestMs(): number | undefined {
    const segment = this.#segments[0];
    return segment?.publishedAtMs(this.#shifted - segment.first);
  }

  /**
   * The one at this index, 0 the oldest. Its bytes are those of the segment: it is to be forgotten before the next
   * push. Others take a `copyAt`.
   */
  at(index: number): StoredPublication {
    const { segment, place } = this.#find(index);
    return this.#read(segment, place, segment.encoded(place));
  }

  copyAt(index: number): StoredPublication {
    const { segment, place } = this.#find(index);
    return this.#read(segment, place, segment.encoded(place).slice());
  }

  /** Gives back the room of those that have left. */
  trim(): void {
    this.#spare = undefined;
    const [segment, another] = this.#segments;
    if (segment === undefined || another !== undefined) return;
    const { length } = segment.bytes;
    if (length <= segmentBytes.least || sparse * this.#room > length) return;
    const kept = Array.from({ length: this.count }, (_, index) => this.copyAt(index));
    this.#segments = [];
    this.#room = 0;
    this.#pushed = this.#shifted;
    for (const publication of kept) this.push(publication);
  }

  /** The larger one: with the smaller, three would take turns where two are enough. */
  #keepSpare(segment: Segment): void {
    // One that was made for a large publication is not kept for small ones.
    if (segment.bytes.length > segmentBytes.most) return;
    if (segment.bytes.length >= (this.#spare?.bytes.length ?? 0)) this.#spare = segment;
  }

  #find(index: number): { segment: Segment; place: number } {
    const number = this.#shifted + index;
    let low = 0;
    for (let high = this.#segments.length - 1; low < high; ) {
      const middle = (low + high + 1) >> 1;
      if ((this.#segments[middle] as Segment).first <= number) low = middle;
      else high = middle - 1;
    }
    const segment = this.#segments[low] as Segment;
    return { segment, place: number - segment.first };
  }

  #read(segment: Segment, place: number, encoded: Uint8Array): StoredPublication {
    return StoredPublication.decoded(
      this.#topic,
      encoded,
      segment.seq(place),
      segment.publishedAtMs(place),
      segment.apart(place),
    );
  }

  /** A segment with room for one more of this many bytes, after the others. */
  #begin(encodedBytes: number): Segment {
    const { least, most } = segmentBytes;
    const room = roomOf(encodedBytes);
    const length = Math.max(room, Math.min(most, Math.max(least, this.#room)));
    const spare = this.#spare;
    const fits = spare !== undefined && spare.bytes.length >= room && 2 * spare.bytes.length >= length;
    const segment = fits ? spare : new Segment(length);
    segment.first = this.#pushed;
    this.#spare = undefined;
    this.#segments.push(segment);
    return segment;
  }
}

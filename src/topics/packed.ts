import { protobufCodec } from '../protocol/protobuf.ts';
import { type Apart, StoredPublication } from './publication.ts';

/** A ring grows by what it holds, in segments from the one size to the other: many rings may grow at the same time. */
const segmentBytes = { least: 256, most: 16_384 };
/** What is left of a ring is packed anew when it fills no more than such a part of its segment. */
const sparse = 4;

/** Numbers kept of each: where its bytes end, when it was published, what it costs, its `seq`. */
const factsEach = 4;

/** Encoded publications that follow each other, and what their encoding does not say. */
class Segment {
  readonly bytes: Uint8Array;
  /** How many were ever pushed before its first. */
  first = 0;
  // One array for all: a topic may have a single publication, and there may be many such topics.
  #facts: number[] = [];
  /** By their place in the segment, of those that have any. */
  #apart: Map<number, Apart> | undefined;

  constructor(bytes: number) {
    this.bytes = new Uint8Array(bytes);
  }

  get count(): number {
    return this.#facts.length / factsEach;
  }

  /** Where the bytes of the one at this place begin. */
  begin(place: number): number {
    return place === 0 ? 0 : this.end(place - 1);
  }

  end(place: number): number {
    return this.#facts[factsEach * place] as number;
  }

  encoded(place: number): Uint8Array {
    return this.bytes.subarray(this.begin(place), this.end(place));
  }

  publishedMs(place: number): number {
    return this.#facts[factsEach * place + 1] as number;
  }

  cost(place: number): number {
    return this.#facts[factsEach * place + 2] as number;
  }

  seq(place: number): number {
    return this.#facts[factsEach * place + 3] as number;
  }

  apart(place: number): Apart | undefined {
    return this.#apart?.get(place);
  }

  hasRoom(bytes: number): boolean {
    return this.begin(this.count) + bytes <= this.bytes.length;
  }

  push({ publishedMs, bytes, seq, apart }: StoredPublication, encoded: Uint8Array): void {
    const begin = this.begin(this.count);
    this.bytes.set(encoded, begin);
    if (apart !== undefined) {
      this.#apart ??= new Map();
      this.#apart.set(this.count, apart);
    }
    this.#facts.push(begin + encoded.length, publishedMs, bytes, seq);
  }

  /** Empty, it may be used again. */
  clear(): void {
    this.#facts = [];
    this.#apart = undefined;
  }
}

/**
 * The publications of one topic, first in, first out, as bytes: their protobuf encoding, one behind the other, and what that
 * does not say beside it. As objects they would take two to three times the memory, and be visited and moved by the garbage
 * collector again and again (`bench -- memory`, `bench -- unicast`). Segments are used again.
 */
export class PackedPublications {
  #segments: Segment[] = [];
  #spare: Segment | undefined;
  #topic = '';
  /** Of all that are held. */
  #encodedBytes = 0;
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
    const last = this.#segments.at(-1);
    const segment = last?.hasRoom(encoded.length) ? last : this.#begin(encoded.length);
    segment.push(publication, encoded);
    this.#encodedBytes += encoded.length;
    this.#pushed++;
  }

  /** Lets go of the oldest and answers what it cost, in bytes. */
  shift(): number {
    const segment = this.#segments[0] as Segment;
    const place = this.#shifted++ - segment.first;
    const cost = segment.cost(place);
    this.#encodedBytes -= segment.end(place) - segment.begin(place);
    if (place + 1 === segment.count) {
      this.#segments.shift();
      segment.clear();
      // One that was made for a large publication is not kept for small ones.
      this.#spare = segment.bytes.length <= segmentBytes.most ? segment : undefined;
    }
    return cost;
  }

  /** The `seq` of the oldest. */
  get oldestSeq(): number | undefined {
    const [segment] = this.#segments;
    return segment?.seq(this.#shifted - segment.first);
  }

  /** The `seq` of the one at this index, 0 the oldest. */
  seqAt(index: number): number {
    const { segment, place } = this.#find(index);
    return segment.seq(place);
  }

  /** When the oldest was published, milliseconds since 1970. */
  get oldestMs(): number | undefined {
    const [segment] = this.#segments;
    return segment?.publishedMs(this.#shifted - segment.first);
  }

  /**
   * The one at this index, 0 the oldest. Its bytes are those of the segment: it is to be forgotten before the next push. Others
   * take a `copyAt`.
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
    if (length <= segmentBytes.least || sparse * this.#encodedBytes > length) return;
    const kept = Array.from({ length: this.count }, (_, index) => this.copyAt(index));
    this.#segments = [];
    this.#encodedBytes = 0;
    this.#pushed = this.#shifted;
    for (const publication of kept) this.push(publication);
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
      segment.publishedMs(place),
      segment.apart(place),
    );
  }

  /** A segment with room for so many bytes, behind the others. */
  #begin(bytes: number): Segment {
    const { least, most } = segmentBytes;
    const length = Math.max(bytes, Math.min(most, Math.max(least, this.#encodedBytes)));
    const spare = this.#spare;
    const fits = spare !== undefined && spare.bytes.length >= bytes && 2 * spare.bytes.length >= length;
    const segment = fits ? spare : new Segment(length);
    segment.first = this.#pushed;
    this.#spare = undefined;
    this.#segments.push(segment);
    return segment;
  }
}

import { protobufCodec } from '../protocol/protobuf/codec.ts';
import { StoredPublication } from './publication.ts';
import { roomOf, type Segment } from './segment.ts';
import { type SegmentPool, segmentBytes } from './segment-pool.ts';

/** The rest of a ring is packed again when it fills at most this part (1/4) of its segment. */
const sparse = 4;

/**
 * The publications of one topic, first in, first out, as bytes: their protobuf encoding, one after the other, and what
 * that does not say beside it. As objects they would take two to three times the memory, and be visited and moved by
 * the garbage collector again and again (`bench -- memory`, `bench -- unicast`). Segments are used again, by
 * whichever ring of the pool needs one next.
 */
export class PackedPublications {
  readonly #pool: SegmentPool;
  #segments: Segment[] = [];
  #topic = '';
  /** The bytes of all held publications in their segments. */
  #room = 0;
  #pushed = 0;
  #shifted = 0;

  constructor(pool: SegmentPool) {
    this.#pool = pool;
  }

  get count(): number {
    return this.#pushed - this.#shifted;
  }

  /** The bytes of its segments. */
  get capacity(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  push(publication: StoredPublication): void {
    this.#topic = publication.topic;
    const encoded = publication.encoded(protobufCodec);
    const last = this.#segments[this.#segments.length - 1];
    // The segment of a large publication takes no other, which would keep all of it.
    const isShared = last !== undefined && last.bytes.length <= segmentBytes.most;
    const segment = isShared && last.hasRoom(encoded.length) ? last : this.#begin(encoded.length);
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
      this.#pool.give(segment);
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
   * The one at this index, 0 the oldest. Its bytes are those of the segment: it is to be forgotten before the next push
   * to any ring of the pool. Others take a `copyAt`.
   */
  at(index: number): StoredPublication {
    const { segment, place } = this.#find(index);
    return this.#read(segment, place, segment.encoded(place));
  }

  copyAt(index: number): StoredPublication {
    const { segment, place } = this.#find(index);
    return this.#read(segment, place, segment.encoded(place).slice());
  }

  /** Packs the rest again if it has become sparse. */
  trim(): void {
    const [segment, another] = this.#segments;
    if (segment === undefined || another !== undefined) return;
    const { length } = segment.bytes;
    if (length <= segmentBytes.least || sparse * this.#room > length) return;
    const copies = Array.from({ length: this.count }, (_, index) => this.copyAt(index));
    this.clear();
    for (const publication of copies) this.push(publication);
  }

  /** Drops all. */
  clear(): void {
    for (const segment of this.#segments) this.#pool.give(segment);
    this.#segments = [];
    this.#room = 0;
    this.#pushed = this.#shifted;
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
    const segment = this.#pool.take(roomOf(encodedBytes), this.#room);
    segment.first = this.#pushed;
    this.#segments.push(segment);
    return segment;
  }
}

import { protobufCodec } from '../protocol/protobuf.ts';
import { Slabs } from '../protocol/slabs.ts';
import { ByteQueue } from './byte-queue.ts';
import { type Apart, StoredPublication } from './publication.ts';

const smallestCount = 4;

/** What is unpacked is sent and forgotten. */
const unpackedSlabs = new Slabs(4096);

/**
 * The publications of one topic, first in, first out, as bytes: their protobuf encoding, one behind the other, and what that
 * does not say beside it. As objects they would take two to three times the memory, and be visited and moved by the garbage
 * collector again and again (`bench -- memory`, `bench -- unicast`).
 */
export class PackedPublications {
  readonly #encoded = new ByteQueue();
  // Circular, all of one length, a power of two.
  #ends = new Float64Array(0);
  #publishedMs = new Float64Array(0);
  #costs = new Uint32Array(0);
  /** Made when the first needs it. */
  #apart: (Apart | undefined)[] | undefined;
  #head = 0;
  #count = 0;
  #topic = '';

  get count(): number {
    return this.#count;
  }

  push(publication: StoredPublication): void {
    if (this.#count === this.#ends.length) this.#resize(Math.max(smallestCount, 2 * this.#count));
    const slot = this.#slot(this.#count++);
    this.#topic = publication.topic;
    this.#encoded.push(publication.encoded(protobufCodec));
    this.#ends[slot] = this.#encoded.end;
    this.#publishedMs[slot] = publication.publishedMs;
    this.#costs[slot] = publication.bytes;
    const { apart } = publication;
    if (apart !== undefined) this.#apart ??= new Array(this.#ends.length);
    if (this.#apart !== undefined) this.#apart[slot] = apart;
  }

  /** Lets go of the oldest and answers what it cost, in bytes. */
  shift(): number {
    const slot = this.#slot(0);
    this.#encoded.shiftTo(this.#ends[slot] as number);
    if (this.#apart !== undefined) this.#apart[slot] = undefined;
    this.#head = (this.#head + 1) & (this.#ends.length - 1);
    this.#count--;
    return this.#costs[slot] as number;
  }

  /** When the one at this index was published, milliseconds since 1970. */
  publishedMsAt(index: number): number {
    return this.#publishedMs[this.#slot(index)] as number;
  }

  /** A copy of the one at this index, 0 the oldest. */
  at(index: number): StoredPublication {
    const slot = this.#slot(index);
    const begin = index === 0 ? this.#encoded.begin : (this.#ends[this.#slot(index - 1)] as number);
    const encoded = unpackedSlabs.take((this.#ends[slot] as number) - begin);
    this.#encoded.read(begin, encoded);
    const publishedMs = this.#publishedMs[slot] as number;
    return StoredPublication.decoded(this.#topic, encoded, publishedMs, this.#apart?.[slot]);
  }

  /** Gives back the room of those that have left, when it is large. */
  trim(): void {
    this.#encoded.trim();
    if (this.#ends.length > smallestCount && 4 * this.#count <= this.#ends.length)
      this.#resize(this.#ends.length / 2);
  }

  #slot(index: number): number {
    return (this.#head + index) & (this.#ends.length - 1);
  }

  #resize(length: number): void {
    const ends = new Float64Array(length);
    const publishedMs = new Float64Array(length);
    const costs = new Uint32Array(length);
    const apart = this.#apart && new Array<Apart | undefined>(length);
    for (let i = 0; i < this.#count; i++) {
      const slot = this.#slot(i);
      ends[i] = this.#ends[slot] as number;
      publishedMs[i] = this.#publishedMs[slot] as number;
      costs[i] = this.#costs[slot] as number;
      if (apart !== undefined) apart[i] = this.#apart?.[slot];
    }
    this.#ends = ends;
    this.#publishedMs = publishedMs;
    this.#costs = costs;
    this.#apart = apart;
    this.#head = 0;
  }
}

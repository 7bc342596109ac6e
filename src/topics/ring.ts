import type { StoredPublication } from './publication.ts';

export interface RingLimits {
  readonly maxPublications: number;
  readonly maxAgeMs: number;
  readonly maxBytes: number;
}

export type EvictionReason = 'count' | 'age' | 'bytes' | 'total';

/** Told how many publications left, and why. */
export type Evicted = (reason: EvictionReason, count: number) => void;

const smallestCapacity = 16;

/**
 * The newest publications of one topic, contiguous by offset: a circular array that grows to what is needed. Pushing and
 * evicting are O(1), finding an offset is arithmetic.
 *
 * The ring covers (`oldest` - 1, `newest`]; an empty ring covers nothing and keeps `newest`, so that what comes next is
 * still known to follow.
 */
export class Ring {
  readonly #limits: RingLimits;
  readonly #evicted: Evicted;
  #slots: (StoredPublication | undefined)[] = new Array(smallestCapacity);
  #head = 0;
  #count = 0;
  #newest: number;
  #bytes = 0;

  /** `newest` is the offset that the first push follows. */
  constructor(limits: RingLimits, evicted: Evicted, newest = 0) {
    this.#limits = limits;
    this.#evicted = evicted;
    this.#newest = newest;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The highest offset that was ever pushed. */
  get newest(): number {
    return this.#newest;
  }

  /** The offset behind which everything is held: a reader at this position or later misses nothing. */
  get reach(): number {
    return this.#newest - this.#count;
  }

  /** Adds publications behind the newest one, in order. Evicts what no longer fits; the newest of all always stays. */
  push(publications: readonly StoredPublication[]): void {
    const { maxPublications, maxBytes } = this.#limits;
    let tooMany = 0;
    let tooLarge = 0;
    for (const publication of publications) {
      this.#add(publication);
      for (; this.#count > maxPublications; tooMany++) this.#shift();
      for (; this.#bytes > maxBytes && this.#count > 1; tooLarge++) this.#shift();
    }
    if (tooMany > 0) this.#evicted('count', tooMany);
    if (tooLarge > 0) this.#evicted('bytes', tooLarge);
  }

  /** Whether it holds something that is older than the limit of age at this time (milliseconds since 1970). */
  hasAged(nowMs: number): boolean {
    return this.#count > 0 && this.#at(0).publishedMs < nowMs - this.#limits.maxAgeMs;
  }

  /** Lets go of what is older than the limit of age at this time (milliseconds since 1970). */
  evictAged(nowMs: number): void {
    let count = 0;
    for (; this.hasAged(nowMs); count++) this.#shift();
    if (count > 0) this.#evicted('age', count);
  }

  /** Lets go of everything, because all rings together are too large. */
  evictAll(): void {
    const count = this.#count;
    this.reset(this.#newest);
    if (count > 0) this.#evicted('total', count);
  }

  /** Begins anew behind `newest`; what was held belongs to another epoch. */
  reset(newest: number): void {
    this.#slots = new Array(smallestCapacity);
    this.#head = 0;
    this.#count = 0;
    this.#bytes = 0;
    this.#newest = newest;
  }

  /** The publication with this offset, if it is held. */
  get(offset: number): StoredPublication | undefined {
    const index = offset - this.reach - 1;
    return index >= 0 && index < this.#count ? this.#at(index) : undefined;
  }

  /** The held publications of (after, upto], oldest first. */
  slice(after: number, upto = this.#newest): StoredPublication[] {
    const from = Math.max(after, this.reach);
    const to = Math.min(upto, this.#newest);
    const slice: StoredPublication[] = [];
    for (let offset = from + 1; offset <= to; offset++) slice.push(this.#at(offset - this.reach - 1));
    return slice;
  }

  #at(index: number): StoredPublication {
    return this.#slots[(this.#head + index) & (this.#slots.length - 1)] as StoredPublication;
  }

  #add(publication: StoredPublication): void {
    if (publication.offset !== this.#newest + 1) {
      throw new RangeError(`offset ${publication.offset} does not follow ${this.#newest}`);
    }
    if (this.#count === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.#count) & (this.#slots.length - 1)] = publication;
    this.#count++;
    this.#newest = publication.offset;
    this.#bytes += publication.bytes;
  }

  #shift(): void {
    this.#bytes -= this.#at(0).bytes;
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    this.#count--;
  }

  #grow(): void {
    const grown: (StoredPublication | undefined)[] = new Array(this.#slots.length * 2);
    for (let i = 0; i < this.#count; i++) grown[i] = this.#at(i);
    this.#slots = grown;
    this.#head = 0;
  }
}

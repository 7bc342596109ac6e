import type { Metrics } from '../metrics.ts';
import { PackedPublications } from './packed-publications.ts';
import type { StoredPublication } from './publication.ts';
import type { SegmentPool } from './segment-pool.ts';

export interface RingLimits {
  readonly maxPublications: number;
  readonly maxAgeMs: number;
  readonly maxBytes: number;
}

export type EvictionReason = 'count' | 'age' | 'bytes' | 'total';

/** Told how many publications left, and why. */
export type ReportEvicted = (reason: EvictionReason, count: number) => void;

/** Counts evictions in the metrics. */
export function countedBy({ ringEvictionsTotal }: Pick<Metrics, 'ringEvictionsTotal'>): ReportEvicted {
  const evictions = {
    count: ringEvictionsTotal.labels({ reason: 'count' }),
    age: ringEvictionsTotal.labels({ reason: 'age' }),
    bytes: ringEvictionsTotal.labels({ reason: 'bytes' }),
    total: ringEvictionsTotal.labels({ reason: 'total' }),
  };
  return (reason, count) => evictions[reason].inc(count);
}

/**
 * The newest publications of one topic, contiguous by offset. Pushing and evicting are O(1), finding an offset is
 * arithmetic. They are kept as bytes: what is asked for comes as a copy.
 *
 * The ring covers offsets (`reach`, `newest`]. An empty ring covers none and keeps `newest`, which the next offset has
 * to follow.
 */
export class Ring {
  readonly #limits: RingLimits;
  readonly #evicted: ReportEvicted;
  readonly #packed: PackedPublications;
  #newest = 0;
  #bytes = 0;
  #evictedSeq = 0;

  constructor(limits: RingLimits, segments: SegmentPool, evicted: ReportEvicted) {
    this.#limits = limits;
    this.#evicted = evicted;
    this.#packed = new PackedPublications(segments);
  }

  get count(): number {
    return this.#packed.count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The highest offset that was ever pushed. */
  get newest(): number {
    return this.#newest;
  }

  /** Everything after this offset is held: a reader at this position or later misses nothing. */
  get reach(): number {
    return this.#newest - this.#packed.count;
  }

  /** The highest `seq` that was evicted; 0: nothing was. */
  get evictedSeq(): number {
    return this.#evictedSeq;
  }

  /** The newest offset whose publication has a `seq` of at most this, or `reach` when all that is held came later. */
  offsetAtSeq(seq: number): number {
    let low = 0;
    for (let high = this.#packed.count; low < high; ) {
      const middle = (low + high) >> 1;
      if (this.#packed.seqAt(middle) <= seq) low = middle + 1;
      else high = middle;
    }
    return this.reach + low;
  }

  /**
   * The `seq` of the first publication after this offset; undefined: there is none. Where publications after it were
   * evicted, that of the newest of these.
   */
  seqAfter(offset: number): number | undefined {
    if (offset < this.reach) return this.#evictedSeq;
    return offset < this.#newest ? this.#packed.seqAt(offset - this.reach) : undefined;
  }

  /** Adds publications after the newest one, in order. Evicts what no longer fits; the newest of all always stays. */
  push(publications: readonly StoredPublication[]): void {
    const { maxPublications, maxBytes } = this.#limits;
    let tooMany = 0;
    let tooLarge = 0;
    for (const publication of publications) {
      this.#add(publication);
      for (; this.#packed.count > maxPublications; tooMany++) this.#shift();
      for (; this.#bytes > maxBytes && this.#packed.count > 1; tooLarge++) this.#shift();
    }
    if (tooMany > 0) this.#evicted('count', tooMany);
    if (tooLarge > 0) this.#evicted('bytes', tooLarge);
  }

  /** Whether it holds something that is older than the limit of age at this time (milliseconds since 1970). */
  hasAged(nowMs: number): boolean {
    return (this.#packed.oldestMs ?? nowMs) < nowMs - this.#limits.maxAgeMs;
  }

  /** Evicts what is older than the limit of age at this time (milliseconds since 1970). */
  evictAged(nowMs: number): void {
    let count = 0;
    for (; this.hasAged(nowMs); count++) this.#shift();
    if (count === 0) return;
    this.#packed.trim();
    this.#evicted('age', count);
  }

  /** Evicts this many bytes at least, or all there are, because a client has published too much to rings. */
  evictOldest(bytes: number): void {
    let count = 0;
    for (let left = bytes; left > 0 && this.count > 0; count++) left -= this.#shift();
    if (count === 0) return;
    this.#packed.trim();
    this.#evicted('total', count);
  }

  /** Evicts everything, because all rings together are too large. */
  evictAll(): void {
    const { count } = this.#packed;
    this.reset(this.#newest, count > 0 ? this.#packed.seqAt(count - 1) : this.#evictedSeq);
    if (count > 0) this.#evicted('total', count);
  }

  /** Begins anew after `newest`; what was held belongs to another epoch. */
  reset(newest: number, evictedSeq: number): void {
    this.#packed.clear();
    this.#bytes = 0;
    this.#newest = newest;
    this.#evictedSeq = evictedSeq;
  }

  /** The newest publication that matches. */
  findLast(matches: (publication: StoredPublication) => boolean): StoredPublication | undefined {
    for (let index = this.count - 1; index >= 0; index--)
      if (matches(this.#packed.at(index))) return this.#packed.copyAt(index);
    return undefined;
  }

  /** The held publications of (after, upto], oldest first. */
  slice(after: number, upto = this.#newest): StoredPublication[] {
    const [first, last] = this.#indexes(after, upto);
    const slice: StoredPublication[] = [];
    for (let index = first; index <= last; index++) slice.push(this.#packed.copyAt(index));
    return slice;
  }

  /** The same without copying: what it yields must be sent and forgotten before anything is pushed to any ring. */
  *between(after: number, upto: number): Iterable<StoredPublication> {
    const [first, last] = this.#indexes(after, upto);
    for (let index = first; index <= last; index++) yield this.#packed.at(index);
  }

  #indexes(after: number, upto: number): [first: number, last: number] {
    const { reach } = this;
    return [Math.max(after, reach) - reach, Math.min(upto, this.#newest) - reach - 1];
  }

  #add(publication: StoredPublication): void {
    if (publication.offset !== this.#newest + 1) {
      throw new RangeError(`offset ${publication.offset} does not follow ${this.#newest}`);
    }
    this.#packed.push(publication);
    this.#newest = publication.offset;
    this.#bytes += publication.bytes;
  }

  /** Evicts the oldest and returns its bytes. */
  #shift(): number {
    this.#evictedSeq = this.#packed.oldestSeq ?? this.#evictedSeq;
    const bytes = this.#packed.shift();
    this.#bytes -= bytes;
    return bytes;
  }
}

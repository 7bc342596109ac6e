import { Segment } from './segment.ts';

/** Powers of two. The first segment of a ring has `least`; later ones have at most `most`. */
export const segmentBytes = { least: 256, most: 16_384 };
/** Larger segments have this many lengths between a power of two and the next. */
const largeSteps = 8;

/**
 * Segments for all rings of a broker. One that a ring gives back is used by the next ring that takes one of its length.
 *
 * Their memory is a `SharedArrayBuffer`, though no thread shares it, because V8 does not count such memory. It counts
 * an `ArrayBuffer` as growth of its heap: while rings filled, it marked and compacted the heap for every 14 MB that
 * they took (`bench -- unicast --ring 1000 --gaps`). For the same reason V8 does not hurry to free such memory, and a
 * pool has to use it again. The pool holds free segments weakly: each mark-compact that comes for other reasons frees
 * them.
 */
export class SegmentPool {
  /** By their length. */
  readonly #free = new Map<number, WeakRef<Segment>[]>();

  /** An empty segment of about `wantedBytes`, and of `leastBytes` at least. */
  take(leastBytes: number, wantedBytes: number): Segment {
    const { least, most } = segmentBytes;
    if (leastBytes > most) return this.#takeLarge(leastBytes);
    let length = least;
    while (length < leastBytes || (length < most && 2 * length <= wantedBytes)) length *= 2;
    return this.#takeFree(length) ?? new Segment(new SharedArrayBuffer(length));
  }

  /** Nothing of it may be in use. */
  give(segment: Segment): void {
    const { length } = segment.bytes;
    segment.clear();
    const free = this.#free.get(length);
    if (free === undefined) this.#free.set(length, [segment.weakly]);
    else free.push(segment.weakly);
  }

  /** For one publication. V8 counts it, because a few of these are as much as thousands of others. */
  #takeLarge(leastBytes: number): Segment {
    const stepBytes = 2 ** Math.floor(Math.log2(leastBytes)) / largeSteps;
    const length = Math.ceil(leastBytes / stepBytes) * stepBytes;
    return this.#takeFree(length) ?? new Segment(new ArrayBuffer(length));
  }

  #takeFree(length: number): Segment | undefined {
    const free = this.#free.get(length);
    const segment = free?.pop()?.deref();
    // Collected, and those that were given back before it too.
    if (free !== undefined && segment === undefined) free.length = 0;
    return segment;
  }
}

import type { Mode, Position } from '../protocol/frames.ts';
import { Changing } from './change-order.ts';
import type { Numbering, StoredTopic } from './engine.ts';
import type { StoredPublication } from './publication.ts';
import { type ReportEvicted, Ring, type RingLimits } from './ring.ts';
import type { SegmentPool } from './segment-pool.ts';
import { State } from './state.ts';
import type { Maker } from './topic-shares.ts';

/** The options of a namespace that concern the content of its topics. */
export interface TopicOptions extends RingLimits {
  readonly mode: Mode;
  /** The TTL of publications that bring none. */
  readonly ttlMs: number | undefined;
}

/**
 * One topic on this node: the ring and, in state mode, the newest value per key. Only the broker calls the methods that
 * change it: `resume` and `fill` begin it with what an engine has kept; then come `apply`, `reset` and `refill`.
 */
export class Topic extends Changing<Topic> {
  readonly name: string;
  readonly options: TopicOptions;
  readonly ring: Ring;
  readonly state: State | undefined;
  #maker: Maker | undefined;
  #epoch = '';
  #startOffset = 0;
  #seq = 0;
  #bornAfterSeq: number;
  #firstSeq = 0;
  #lastPublishedAtMs = 0;
  #holds = 0;

  constructor(
    name: string,
    options: TopicOptions,
    segments: SegmentPool,
    evicted: ReportEvicted,
    bornAfterSeq = 0,
  ) {
    super();
    this.name = name;
    this.options = options;
    this.ring = new Ring(options, segments, evicted);
    this.state = options.mode === 'state' ? new State() : undefined;
    this.#bornAfterSeq = bornAfterSeq;
  }

  /** Whom its place is charged to while it has one (`TopicPlaces`). */
  get maker(): Maker | undefined {
    return this.#maker;
  }

  /** Its place is charged to another maker from now on. */
  chargeTo(maker: Maker | undefined): void {
    this.#maker = maker;
  }

  /** Empty until something was published. */
  get epoch(): string {
    return this.#epoch;
  }

  /** The offset after which this epoch begins. */
  get startOffset(): number {
    return this.#startOffset;
  }

  /** The `seq` of the newest publication; 0: nothing was published. */
  get seq(): number {
    return this.#seq;
  }

  /** Up to this `seq` the topic may have had another epoch: see `Numbering`. */
  get bornAfterSeq(): number {
    return this.#bornAfterSeq;
  }

  /**
   * The `seq` of the first publication of this numbering that this object was given; of a state topic, since it holds
   * values. 0: none was.
   */
  get firstSeq(): number {
    return this.#firstSeq;
  }

  /** When the last publication was taken, on the clock of `publishedAtMs`. */
  get lastPublishedAtMs(): number {
    return this.#lastPublishedAtMs;
  }

  get position(): Position {
    return { epoch: this.#epoch, offset: this.ring.newest };
  }

  /** Whether there is something that a subscriber could be sent. */
  get holdsContent(): boolean {
    return this.ring.count > 0 || (this.state?.size ?? 0) > 0;
  }

  get bytes(): number {
    return this.ring.bytes + (this.state?.bytes ?? 0);
  }

  // ---- holders, views mostly: the topic stays while it has one

  get holds(): number {
    return this.#holds;
  }

  retain(): void {
    this.#holds++;
  }

  release(): void {
    this.#holds--;
  }

  // ---- content

  /** Adds publications of this epoch, which must be the topic's own where it has one already. */
  apply(epoch: string, publications: readonly StoredPublication[]): void {
    if (this.#epoch === '') this.#epoch = epoch;
    else if (this.#epoch !== epoch) throw new Error(`${this.name}: epoch ${epoch} without a reset`);
    const isFirst = this.#firstSeq === 0 || this.state?.size === 0;
    this.ring.push(publications);
    if (this.state !== undefined) for (const publication of publications) this.state.apply(publication);
    const newest = publications.at(-1);
    if (newest === undefined) return;
    if (isFirst) this.#firstSeq = (publications[0] as StoredPublication).seq;
    this.#lastPublishedAtMs = newest.publishedAtMs;
    this.#seq = newest.seq;
  }

  /** Continues a numbering whose content is gone. */
  resume({ epoch, offset, seq, bornAfterSeq }: Numbering): void {
    this.#epoch = epoch;
    this.#startOffset = 0;
    this.ring.reset(offset, seq);
    this.#seq = seq;
    this.#bornAfterSeq = bornAfterSeq;
  }

  /** Up to this `seq` it may have had a numbering that this node has not heard of. */
  wasUnheardUpto(seq: number): void {
    this.#bornAfterSeq = Math.max(this.#bornAfterSeq, seq);
  }

  /** Takes what an engine has kept; until then the topic holds nothing. */
  fill({ publications, state, evictedSeq, ...numbering }: StoredTopic): void {
    this.resume(numbering);
    const first = publications[0];
    // The offsets before the first publication were part of this epoch.
    if (first !== undefined) this.ring.reset(first.offset - 1, evictedSeq);
    this.state?.clear();
    this.#firstSeq = numbering.seq;
    this.ring.push(publications);
    for (const publication of state) this.state?.apply(publication);
    this.#lastPublishedAtMs = publications.at(-1)?.publishedAtMs ?? 0;
  }

  /**
   * Replaces what it holds. If that has another numbering, `startOffset` is where its publications after the former
   * `seq`, or after `commonSeq`, begin.
   */
  refill(stored: StoredTopic, commonSeq = this.#seq): void {
    const startOffset = this.#startOffsetIn(stored, Math.min(commonSeq, this.#seq));
    this.fill(stored);
    this.#startOffset = startOffset;
  }

  #startOffsetIn({ epoch, bornAfterSeq, publications, offset }: StoredTopic, hadSeq: number): number {
    if (epoch === this.#epoch) return this.#startOffset;
    // Nothing of that numbering was known.
    if (this.#epoch === '' || bornAfterSeq >= hadSeq) return 0;
    const next = publications.find(({ seq }) => seq > hadSeq);
    return next === undefined ? offset : next.offset - 1;
  }

  /** Begins a new numbering after `offset`. */
  reset(epoch: string, offset: number): void {
    this.#bornAfterSeq = Math.max(this.#bornAfterSeq, this.#seq);
    this.#epoch = epoch;
    this.#startOffset = offset;
    this.#firstSeq = 0;
    this.ring.reset(offset, this.#seq);
    this.state?.clear();
  }

  /** The newest publications per key that still live. */
  *snapshot(nowMs: number): Iterable<StoredPublication> {
    if (this.state === undefined) return;
    for (const publication of this.state.values()) {
      if (publication.expiresAtMs > nowMs) yield publication;
    }
  }
}

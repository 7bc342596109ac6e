import type { Mode, Position } from '../protocol/frames.ts';
import type { Numbering, StoredTopic } from './engine.ts';
import type { StoredPublication } from './publication.ts';
import { type Evicted, Ring, type RingLimits } from './ring.ts';
import { State } from './state.ts';

/** What a namespace says of its topics, as far as they are kept here. */
export interface TopicOptions extends RingLimits {
  readonly mode: Mode;
  /** For publications that bring none of their own. */
  readonly ttlMs: number | undefined;
}

/** One topic on this node: the ring and, in state mode, the newest value per key. Fed by the broker only. */
export class Topic {
  readonly name: string;
  readonly options: TopicOptions;
  readonly ring: Ring;
  readonly state: State | undefined;
  /** Empty until something was published. */
  epoch = '';
  /** The offset after which this epoch begins. */
  startOffset = 0;
  /** Of the newest publication; 0: nothing was published. */
  seq = 0;
  /** The engine's `forgottenSeq` when the numbering began: up to that `seq` the topic may have had another epoch. */
  bornAfterSeq = 0;
  /** The `seq` of the first publication that this object was given; 0: none was. */
  firstSeq = 0;
  /** The broker's number of its last change: a publication or a reset. */
  changedAt = 0;
  /** The newest commit of all topics at that time. */
  changedAtSeq = 0;
  /** What `changedAt` became when its numbering started anew last; 0: it never did. */
  resetAt = 0;
  /** Its neighbours in the order of changes. */
  changedBefore: Topic | undefined;
  changedAfter: Topic | undefined;
  /** How many parties need this object to stay: views, mostly. */
  holds = 0;
  /** When the last publication was taken, on the clock of `publishedAtMs`. */
  lastPublishedAtMs = 0;

  constructor(name: string, options: TopicOptions, evicted: Evicted) {
    this.name = name;
    this.options = options;
    this.ring = new Ring(options, evicted);
    this.state = options.mode === 'state' ? new State() : undefined;
  }

  get position(): Position {
    return { epoch: this.epoch, offset: this.ring.newest };
  }

  /** Whether there is something that a subscriber could be sent. */
  get holdsContent(): boolean {
    return this.ring.count > 0 || (this.state?.size ?? 0) > 0;
  }

  get bytes(): number {
    return this.ring.bytes + (this.state?.bytes ?? 0);
  }

  apply(publications: readonly StoredPublication[]): void {
    this.ring.push(publications);
    if (this.state !== undefined) for (const publication of publications) this.state.apply(publication);
    const newest = publications.at(-1);
    if (newest === undefined) return;
    if (this.firstSeq === 0) this.firstSeq = (publications[0] as StoredPublication).seq;
    this.lastPublishedAtMs = newest.publishedAtMs;
    this.seq = newest.seq;
  }

  /** Continues a numbering whose content is gone. */
  resume({ epoch, offset, seq, bornAfterSeq }: Numbering): void {
    this.epoch = epoch;
    this.startOffset = 0;
    this.ring.reset(offset, seq);
    this.seq = seq;
    this.bornAfterSeq = bornAfterSeq;
  }

  /** Takes what an engine kept; before it, the topic holds nothing. */
  fill({ publications, state, evictedSeq, ...numbering }: StoredTopic): void {
    this.resume(numbering);
    const first = publications[0];
    // What is gone before the first of them was part of this epoch.
    if (first !== undefined) this.ring.reset(first.offset - 1, evictedSeq);
    this.state?.clear();
    this.firstSeq = numbering.seq;
    this.ring.push(publications);
    for (const publication of state) this.state?.apply(publication);
    this.lastPublishedAtMs = publications.at(-1)?.publishedAtMs ?? 0;
  }

  /** Replaces what it holds. A subscriber that learns of a new numbering by it continues after `stored.offset`. */
  refill(stored: StoredTopic): void {
    const startOffset = stored.epoch === this.epoch ? this.startOffset : stored.offset;
    this.fill(stored);
    this.startOffset = startOffset;
  }

  /** The numbering starts anew after `offset`. */
  reset(epoch: string, offset: number): void {
    this.epoch = epoch;
    this.startOffset = offset;
    this.ring.reset(offset, this.seq);
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

import type { Mode, Position } from '../protocol/frames.ts';
import type { StoredTopic } from './engine.ts';
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
  /** The offset that this epoch begins behind. */
  startOffset = 0;
  /** How many parties need this object to stay: views, mostly. */
  holds = 0;
  /** Milliseconds since 1970 of the last publication. */
  lastPublishedMs = 0;
  publications = 0;

  constructor(name: string, options: TopicOptions, evicted: Evicted) {
    this.name = name;
    this.options = options;
    this.ring = new Ring(options, evicted);
    this.state = options.mode === 'state' ? new State() : undefined;
  }

  get position(): Position {
    return { epoch: this.epoch, offset: this.ring.newest };
  }

  get bytes(): number {
    return this.ring.bytes + (this.state?.bytes ?? 0);
  }

  apply(publications: readonly StoredPublication[]): void {
    this.ring.push(publications);
    if (this.state !== undefined) for (const publication of publications) this.state.apply(publication);
    this.publications += publications.length;
    this.lastPublishedMs = publications.at(-1)?.publishedMs ?? this.lastPublishedMs;
  }

  /** Takes what an engine kept; before it, the topic holds nothing. */
  fill({ epoch, offset, publications, state }: StoredTopic): void {
    const first = publications[0];
    this.reset(epoch, first === undefined ? offset : first.offset - 1);
    // What is gone before the first of them was part of this epoch.
    this.startOffset = 0;
    this.ring.push(publications);
    for (const publication of state) this.state?.apply(publication);
    this.lastPublishedMs = publications.at(-1)?.publishedMs ?? 0;
  }

  /** The numbering starts anew behind `offset`. */
  reset(epoch: string, offset: number): void {
    this.epoch = epoch;
    this.startOffset = offset;
    this.ring.reset(offset);
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

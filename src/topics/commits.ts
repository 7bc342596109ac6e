import type { Position, Subscription, TopicPosition } from '../protocol/frames.ts';
import type { ChangeOrder } from './change-order.ts';
import { parseCursor } from './cursor.ts';
import type { Engine, Numbering } from './engine.ts';
import type { Topic } from './topic.ts';

/** What a client says that it has had. */
type ClaimedPosition = Pick<Subscription, 'topic' | 'since' | 'positions' | 'cursor'>;

type NumberingEngine = Pick<Engine, 'epoch' | 'forgottenSeq' | 'numbering' | 'numberings' | 'hearNewest'>;

/**
 * The numbering of commits over all topics, as far as this node has heard of them; and the numberings of topics whose
 * content is gone.
 */
export class Commits {
  readonly #engine: NumberingEngine;
  readonly #topics: ReadonlyMap<string, Topic>;
  readonly #order: ChangeOrder<Topic>;

  constructor(engine: NumberingEngine, topics: ReadonlyMap<string, Topic>, order: ChangeOrder<Topic>) {
    this.#engine = engine;
    this.#topics = topics;
    this.#order = order;
  }

  /** The identity of the numbering. */
  get epoch(): string {
    return this.#engine.epoch;
  }

  /** The highest `seq` of a numbering that was dropped; 0: none was. */
  get forgottenSeq(): number {
    return this.#engine.forgottenSeq;
  }

  /** The newest commit that this node has heard of, or that it was told is lost (`EngineFeed.missed`). */
  get seq(): number {
    return Math.max(this.#order.seq, this.#engine.forgottenSeq);
  }

  /** Grows with each publication and each reset of any topic. */
  get changes(): number {
    return this.#order.changes;
  }

  /** The topics that had a publication after this commit; the last changed first. */
  publishedAfter(seq: number): Iterable<Topic> {
    return this.#order.publishedAfter(seq);
  }

  /** The topics that have changed since `changes` had this value; the last changed first. */
  changedAfter(changes: number): Iterable<Topic> {
    return this.#order.changedAfter(changes);
  }

  /** The numbering of a topic whose content is gone. */
  numbering(topic: string): Numbering | undefined {
    return this.#engine.numbering(topic);
  }

  /** The numberings of topics whose content is gone, with publications after this commit. */
  numberings(afterSeq: number): Iterable<readonly [topic: string, numbering: Numbering]> {
    return this.#engine.numberings(afterSeq);
  }

  /** The last position of a topic whose content is gone; epoch "" and offset 0 if the topic is not known. */
  lastPosition(topic: string): Position {
    const { epoch, offset } = this.#engine.numbering(topic) ?? { epoch: '', offset: 0 };
    return { epoch, offset };
  }

  /** Other nodes may hear of a commit before this one. */
  get isShared(): boolean {
    return this.#engine.hearNewest !== undefined;
  }

  /** Whether a client has had commits that this node has not heard of yet. */
  isBehind({ topic, since, positions, cursor }: ClaimedPosition): boolean {
    if (!this.isShared) return false;
    const at = cursor === undefined ? undefined : parseCursor(cursor);
    if (at !== undefined && at.epoch === this.epoch && at.seq > this.seq) return true;
    const own = since === undefined ? [] : [{ topic, ...since }];
    return [...own, ...(positions ?? [])].some((position) => this.#isBehindPosition(position));
  }

  /** Waits until this node has heard of what was committed by now. False: it can't hear of it for the moment. */
  async hearNewest(): Promise<boolean> {
    return (await this.#engine.hearNewest?.()) ?? true;
  }

  #isBehindPosition({ topic, epoch, offset }: TopicPosition): boolean {
    if (epoch === '') return false;
    const here = this.#topics.get(topic)?.position ?? this.lastPosition(topic);
    return here.epoch === '' || (here.epoch === epoch && offset > here.offset);
  }
}

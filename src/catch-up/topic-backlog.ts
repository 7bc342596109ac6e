import type { Feed } from '../fanout/view.ts';
import type { Position } from '../protocol/frames.ts';
import type { Progress } from '../topics/cursor.ts';
import { PendingSnapshot } from './pending-snapshot.ts';
import { reachOf } from './reach.ts';

/** Before the reach of any ring: a state topic owes a snapshot. */
const neverSent = -1;

/**
 * What one subscriber lacks of one topic of its view. It is in one of these states:
 *
 * - of another epoch: the numbering has changed; `startOver` comes next;
 * - snapshot pending: pages of values are sent until `snapshotSent`;
 * - out of reach: what follows `position` is no longer held; `takeSnapshot` or `covered` comes next;
 * - in the ring: pages of publications are sent, each followed by `covered`;
 * - empty: the subscriber has everything that the view's members have.
 */
export class TopicBacklog {
  readonly feed: Feed;
  #epoch: string;
  #position: number;
  #snapshot: PendingSnapshot | undefined;

  /** The subscriber has everything up to `position`, in the numbering of `epoch`. */
  constructor(feed: Feed, epoch: string, position: number) {
    this.feed = feed;
    this.#epoch = epoch;
    this.#position = position;
  }

  /**
   * For a subscriber of a state topic that lacks all values, in the numbering that it was told. The snapshot is taken
   * when its turn comes.
   */
  static ofAllValues(feed: Feed, epoch = feed.topic.epoch): TopicBacklog {
    return new TopicBacklog(feed, epoch, neverSent);
  }

  get epoch(): string {
    return this.#epoch;
  }

  /** Everything up to here was sent to this subscriber, or named as missing. */
  get position(): number {
    return this.#position;
  }

  get snapshot(): PendingSnapshot | undefined {
    return this.#snapshot;
  }

  get isOfAnotherEpoch(): boolean {
    return this.#epoch !== this.feed.topic.epoch;
  }

  get isOutOfReach(): boolean {
    return this.#position < reachOf(this.feed);
  }

  get isEmpty(): boolean {
    return (
      this.#snapshot === undefined && !this.isOfAnotherEpoch && this.#position >= catchUpTarget(this.feed)
    );
  }

  /** How far the subscriber is; undefined: in everything that the ring holds. */
  get lag(): Progress | undefined {
    const { feed } = this;
    const { ring, state, seq } = feed.topic;
    if (this.#snapshot !== undefined || this.#position === neverSent) return { seq, lacksValues: true };
    const position = this.isOfAnotherEpoch ? neverSent : this.#position;
    const lacking = feed.seqAfter(position);
    if (lacking === undefined) return undefined;
    return { seq: Math.max(0, lacking - 1), lacksValues: state !== undefined && position < ring.reach };
  }

  /** As a backlog of one item: what is to be sent next. */
  get current(): TopicBacklog | undefined {
    return this.isEmpty ? undefined : this;
  }

  /** The item is empty. There is no other. */
  advance(): void {}

  /** The numbering has changed: what this subscriber lacks begins where the epoch does. */
  startOver(): Position {
    const { epoch, startOffset } = this.feed.topic;
    this.#epoch = epoch;
    this.#position = startOffset;
    this.#snapshot = undefined;
    return { epoch, offset: startOffset };
  }

  takeSnapshot(nowMs: number): void {
    const { feed } = this;
    const values = [...feed.topic.snapshot(nowMs)].filter((publication) => feed.view.matches(publication));
    this.#snapshot = new PendingSnapshot(feed.topic.ring.newest, values, false);
  }

  /** The subscriber lacks only the values of these keys, beside what follows its position. */
  takeValuesOf(keys: ReadonlySet<string>, nowMs: number): void {
    const { feed } = this;
    const values = [...feed.topic.snapshot(nowMs)].filter(
      (publication) => keys.has(publication.key ?? '') && feed.view.matches(publication),
    );
    this.#snapshot = new PendingSnapshot(this.#position, values, true);
  }

  /** All values of the snapshot were sent. */
  snapshotSent(): void {
    this.#position = this.#snapshot?.offset ?? this.#position;
    this.#snapshot = undefined;
  }

  /** Everything up to here was sent, or named as missing. */
  covered(upto: number): void {
    this.#position = upto;
  }
}

/**
 * The offset up to which a subscriber is caught up: what the view's members have been sent, or the topic's newest
 * where there are none. In a pattern it is always the newest: by the time that its other topics are done, the members
 * may have been sent it.
 */
export function catchUpTarget({ view, topic, position }: Feed): number {
  return view.members > 0 && !view.isPattern ? position : topic.ring.newest;
}

import type { Feed } from '../fanout/view.ts';
import type { OffsetRange, Position } from '../protocol/frames.ts';
import type { StoredPublication } from '../topics/publication.ts';
import type { Topic } from '../topics/topic.ts';

/** A snapshot on its way to one subscriber: the values as they were at `offset`. */
export interface PendingSnapshot {
  readonly offset: number;
  readonly values: readonly StoredPublication[];
  /** How many of them were sent. */
  sent: number;
}

/** How far one subscriber is with one topic of its view, while it isn't live. */
export interface TopicBacklog {
  readonly feed: Feed;
  epoch: string;
  /** Everything up to here was sent to this subscriber, or named as missing. */
  position: number;
  snapshot: PendingSnapshot | undefined;
}

/** Nothing that the members have is missing: what comes next in the view follows what was sent. */
export function isLevel({ feed, epoch, position, snapshot }: TopicBacklog): boolean {
  return snapshot === undefined && epoch === feed.topic.epoch && position >= backlogEnd(feed);
}

/**
 * Up to where it is caught up: what the members have been sent, or the topic's newest where there are none. In a pattern
 * always the newest: by the time that its other topics are done the members may have been sent it.
 */
export function backlogEnd(feed: Feed): number {
  const { view, topic, position } = feed;
  return view.members > 0 && !view.isPattern ? position : topic.ring.newest;
}

/** It lacks everything: a snapshot will be taken when its turn comes. */
export function snapshotBacklog(feed: Feed): TopicBacklog {
  return { feed, epoch: feed.topic.epoch, position: neverSent, snapshot: undefined };
}

/** Before anything that a ring can hold: of a state topic a snapshot is due. */
const neverSent = -1;

/** Of a subscriber that is live: one for all, as there are thousands. */
export const noBacklogs: readonly TopicBacklog[] = [];

/** Where a subscriber starts in a topic, and what it is told of that. */
export interface Start {
  readonly epoch: string;
  readonly position: number;
  readonly recovered: boolean | undefined;
  readonly missing: OffsetRange | undefined;
  readonly needsSnapshot: boolean;
  /** For the counter of recoveries. */
  readonly outcome: 'recovered' | 'snapshot' | 'gap' | 'none';
}

/**
 * Where somebody continues who has had everything up to `since`. `recovered: false` only where the topic really lost
 * something: in a stream, what the ring no longer holds; in state mode nothing, as the snapshot is the whole truth.
 * `knownSeq`: the commit of this engine's numbering up to which it has had everything; 0: unknown.
 */
export function startSince(topic: Topic, since: Position, knownSeq = 0): Start {
  const { epoch } = topic;
  const { reach, newest } = topic.ring;
  // Who subscribed when the topic held nothing was told the empty epoch, and has had nothing of any since.
  const hadNothing = since.epoch === '' && since.offset === 0;
  // Every other numbering that the topic may have had ended by then, and it has had that.
  const hadAllBefore = knownSeq >= topic.bornAfterSeq && (knownSeq > 0 || hadNothing);
  const sameEpoch = since.epoch === epoch || hadAllBefore;
  const offset = since.epoch === epoch ? since.offset : topic.startOffset;
  if (sameEpoch && offset >= reach && offset <= newest) {
    return {
      epoch,
      position: offset,
      recovered: true,
      missing: undefined,
      needsSnapshot: false,
      outcome: 'recovered',
    };
  }
  if (topic.state !== undefined) {
    return {
      epoch,
      position: newest,
      recovered: true,
      missing: undefined,
      needsSnapshot: true,
      outcome: 'snapshot',
    };
  }
  const missing = sameEpoch && offset < reach ? { after: offset, upto: reach } : undefined;
  return {
    epoch,
    position: sameEpoch && missing === undefined ? newest : reach,
    recovered: false,
    missing,
    needsSnapshot: false,
    outcome: 'gap',
  };
}

/** Where a new subscriber starts: in state mode with a snapshot, in a stream behind what its view was sent, or with the last N. */
export function startNew(feed: Feed, last: number): Start {
  const { topic, view } = feed;
  const { reach, newest } = topic.ring;
  const needsSnapshot = topic.state !== undefined;
  let position = newest;
  if (!needsSnapshot && last > 0) position = Math.max(reach, newest - last);
  else if (!needsSnapshot && view.members > 0 && !view.isPattern) position = feed.position;
  return {
    epoch: topic.epoch,
    position,
    recovered: undefined,
    missing: undefined,
    needsSnapshot,
    outcome: 'none',
  };
}

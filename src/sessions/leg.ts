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
export interface Leg {
  readonly feed: Feed;
  epoch: string;
  /** Everything up to here was sent to this subscriber, or named as missing. */
  position: number;
  snapshot: PendingSnapshot | undefined;
}

/** Nothing that the members have is missing: what comes next in the view follows what was sent. */
export function isLevel({ feed, epoch, position, snapshot }: Leg): boolean {
  return snapshot === undefined && epoch === feed.topic.epoch && position >= legEnd(feed);
}

/** What the members have been sent; the topic's newest where there are none, or where the view no longer hears of it. */
export function legEnd(feed: Feed): number {
  const { view, topic, position } = feed;
  return view.members > 0 && view.feeds.get(topic) === feed ? position : topic.ring.newest;
}

/** Of a subscriber that is live: one for all, as there are thousands. */
export const noLegs: readonly Leg[] = [];

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
 */
export function startSince(topic: Topic, since: Position): Start {
  const { epoch } = topic;
  const { reach, newest } = topic.ring;
  // Who subscribed when the topic held nothing was told the empty epoch, and has had nothing of any since.
  const hadNothing = since.epoch === '' && since.offset === 0;
  const sameEpoch = since.epoch === epoch || hadNothing;
  const offset = hadNothing ? topic.startOffset : since.offset;
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
  else if (!needsSnapshot && view.members > 0) position = feed.position;
  return {
    epoch: topic.epoch,
    position,
    recovered: undefined,
    missing: undefined,
    needsSnapshot,
    outcome: 'none',
  };
}

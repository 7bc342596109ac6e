import type { Feed } from '../fanout/view.ts';
import type { Metrics } from '../metrics.ts';
import type { Granted, Mode, OffsetRange, Position, Subscription } from '../protocol/frames.ts';
import type { Broker } from '../topics/broker.ts';
import type { Commits } from '../topics/commits.ts';
import { type Cursor, cursorNow, type Progress, parseCursor, Resumption } from '../topics/cursor.ts';
import type { Topic } from '../topics/topic.ts';
import { coveredUpto, reachOf } from './reach.ts';
import { TopicBacklog } from './topic-backlog.ts';

export interface StartOptions {
  readonly broker: Broker;
  /** The mode of a topic of this name. */
  readonly modeOf: (topic: string) => Mode;
  readonly metrics: Pick<Metrics, 'recoveriesTotal'>;
}

/** What a subscriber is told of where it starts. */
export type StartResult = Omit<Granted, 'topic' | 'view' | 'intervalMs'>;

export interface TopicStarted {
  readonly backlog: TopicBacklog;
  readonly result: StartResult;
}

/** Where a subscription to one topic starts. */
export function startTopic(feed: Feed, subscription: Subscription, options: StartOptions): TopicStarted {
  const { broker, metrics } = options;
  const { since, last = 0, cursor } = subscription;
  const start =
    since !== undefined
      ? startSince(feed.topic, since, {
          knownSeq: knownSeq(broker.commits, feed, cursor),
          isShared: broker.commits.isShared,
          reach: reachOf(feed),
        })
      : cursor !== undefined
        ? startAtCursor(feed, validCursor(broker.commits, cursor))
        : startNew(feed, last);
  if (start.outcome !== undefined) metrics.recoveriesTotal.inc({ outcome: start.outcome });
  const { epoch, position: offset, recovered, missing, needsSnapshot } = start;
  const { mode } = feed.topic.options;
  const lacksNothing = offset === feed.topic.ring.newest && !needsSnapshot;
  const now = lacksNothing ? cursorNow(broker.commits) : undefined;
  return {
    backlog: backlogOf(feed, start, broker.nowMs()),
    result: { mode, epoch, offset, recovered, missing, cursor: now },
  };
}

/** Where a subscriber starts in a topic, and what it is told of that. */
export interface Start {
  readonly epoch: string;
  readonly position: number;
  readonly recovered: boolean | undefined;
  readonly missing: OffsetRange | undefined;
  readonly needsSnapshot: boolean;
  /** For the counter of recoveries. */
  readonly outcome: 'recovered' | 'snapshot' | 'gap' | undefined;
}

interface SinceOptions {
  /**
   * The commit up to which the subscriber has had everything; 0: it does not say. Less: it says so of another numbering
   * of commits, in which the topic may have been published to.
   */
  readonly knownSeq?: number;
  /** The client may have heard of more on another node than this one has by now. */
  readonly isShared?: boolean;
  /** Everything after this offset can be sent. Absent: what the ring holds. */
  readonly reach?: number;
}

/**
 * Where a subscriber that has had everything up to `since` continues. `recovered` is false only where something is
 * lost: in a stream, what the ring no longer holds; in state mode nothing, as the snapshot replaces everything.
 */
export function startSince(
  topic: Topic,
  since: Position,
  { knownSeq = 0, isShared = false, reach = topic.ring.reach }: SinceOptions = {},
): Start {
  const { epoch } = topic;
  const { newest } = topic.ring;
  // A client that subscribed when the topic held nothing was told the empty epoch. It has had nothing since.
  const hadNothing = since.epoch === '' && since.offset === 0;
  // All earlier numberings of the topic ended by then, and the client has had them.
  const hadAllBefore = knownSeq >= topic.bornAfterSeq && (knownSeq > 0 || hadNothing);
  // A topic without a numbering now may have had one since.
  const isInEpoch = since.epoch === epoch && epoch !== '';
  const sameEpoch = isInEpoch || hadAllBefore;
  const offset = isInEpoch ? since.offset : topic.startOffset;
  if (sameEpoch && offset >= reach && (offset <= newest || isShared)) {
    return {
      epoch,
      position: offset,
      recovered: true,
      missing: undefined,
      needsSnapshot: false,
      outcome: 'recovered',
    };
  }
  if (topic.state !== undefined) return snapshotOf(topic);
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

/**
 * Where a subscriber continues that has a cursor and no position in the topic. Undefined: the cursor is of another
 * numbering of commits, so it is not known what the subscriber has had.
 */
function startAtCursor(feed: Feed, cursor: Cursor | undefined): Start {
  const { topic } = feed;
  const { epoch, bornAfterSeq, startOffset } = topic;
  const reach = reachOf(feed);
  const { seq, lacksValues } = cursor === undefined ? nothingHad : hadAt(cursor, feed);
  const isKnown = cursor !== undefined && seq >= bornAfterSeq;
  const covered = coveredUpto(feed, seq);
  const isEvicted = covered === undefined;
  if (topic.state !== undefined && (lacksValues || !isKnown || isEvicted)) return snapshotOf(topic);
  const isLost = !isKnown || isEvicted;
  return {
    epoch,
    position: covered ?? reach,
    recovered: !isLost,
    missing: isKnown && startOffset < reach && isEvicted ? { after: startOffset, upto: reach } : undefined,
    needsSnapshot: false,
    outcome: isLost ? 'gap' : 'recovered',
  };
}

function hadAt(cursor: Cursor, { topic, view }: Feed): Progress {
  return new Resumption(cursor, topic.name, view.deliveryKey).base;
}

const nothingHad: Progress = { seq: 0, lacksValues: true };

function snapshotOf({ epoch, ring }: Topic): Start {
  return {
    epoch,
    position: ring.newest,
    recovered: true,
    missing: undefined,
    needsSnapshot: true,
    outcome: 'snapshot',
  };
}

/**
 * Where a new subscriber starts: in state mode with a snapshot, in a stream after what its view was sent, or with the
 * last N.
 */
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
    outcome: undefined,
  };
}

function backlogOf(feed: Feed, { epoch, position, needsSnapshot }: Start, nowMs: number): TopicBacklog {
  const backlog = new TopicBacklog(feed, epoch, position);
  if (needsSnapshot) backlog.takeSnapshot(nowMs);
  return backlog;
}

/** As of `SinceOptions`. */
function knownSeq(commits: Commits, feed: Feed, text: string | undefined): number {
  if (text === undefined) return 0;
  const cursor = validCursor(commits, text);
  return cursor === undefined ? -1 : hadAt(cursor, feed).seq;
}

/** Undefined: the text is of another numbering of commits, or no cursor at all. */
export function validCursor({ epoch, seq, isShared }: Commits, text: string): Cursor | undefined {
  const cursor = parseCursor(text);
  if (cursor === undefined || cursor.epoch !== epoch) return undefined;
  // Another node, which has heard of more, may have made it.
  if (isShared) return cursor;
  if (cursor.seq > seq) return undefined;
  for (const exception of cursor.exceptions?.values() ?? []) if (exception.seq > seq) return undefined;
  return cursor;
}

/** What the gateway tells a feed beside publications: where it begins, snapshots, resets, what is lost. */

import type {
  Granted,
  Mode,
  OffsetRange,
  Position,
  TopicPosition,
  TopicResult,
} from '../../../protocol/frames.ts';
import type { ServerKinds } from '../../../protocol/server-frames.ts';
import type { Feed, FeedPublication, FeedTopic } from '../feed.ts';
import { LiveMap } from '../live-map.ts';

/**
 * The patterns that continue by their cursor: whether no loss was named yet. Losses are named one by one until the
 * catch-up ends.
 */
const continuing = new WeakMap<object, boolean>();

type BatchStart = Pick<ServerKinds['batch'], 'epoch' | 'after'>;

// -- the gateway's reply ------------------------------------------------------------------------------

/** A feed begins, or begins again. `starts`: the positions that were sent. `byCursor`: a cursor was sent. */
export function beginFeed<P extends FeedPublication>(
  feed: Feed<P>,
  granted: Granted,
  starts: readonly TopicPosition[],
  byCursor: boolean,
): void {
  if (byCursor && (feed.wasLive || feed.options.cursor !== undefined)) continued(feed, granted);
  for (const start of feed.isPattern ? (granted.topics ?? []) : [granted])
    beginTopic(
      feed,
      start,
      starts.find(({ topic }) => topic === start.topic),
    );
  feed.enter('live');
}

function beginTopic<P extends FeedPublication>(feed: Feed<P>, start: TopicResult, asked?: Position): void {
  const { topic, epoch, offset, mode, recovered } = start;
  const own = feed.at(topic);
  // The start was another member's. This one did not know the numbering, of which it was sent nothing.
  const isSkipped = recovered && own && own.epoch !== epoch && asked?.epoch === epoch;
  const missing = isSkipped ? { after: 0, upto: offset } : start.missing;
  const known = learn(feed, topic, mode, { epoch, offset });
  if (mode === 'state') beginMap(feed, known, start, asked);
  const isReset = own?.epoch && own.epoch !== epoch;
  if (isReset) tellReset(feed, topic, own);
  else if (own && recovered && !isSkipped) feed.emitter.emit('recovered', { topic, epoch, offset });
  if (mode === 'stream' && (isReset || isSkipped ? missing : recovered === false)) {
    // What is lost may be of an earlier numbering, which the client never heard of.
    if (!missing && !own?.epoch) feed.emitter.emit('gap', { topic, epoch });
    else lost(feed, topic, epoch, missing ?? { after: 0, upto: offset });
    // Nothing is said to be missing of a position that the topic never reached. It must not suppress publications.
    if (!missing && asked?.epoch === epoch) known.seen = 0;
  }
}

function beginMap<P extends FeedPublication>(
  feed: Feed<P>,
  known: FeedTopic<P>,
  { topic, epoch, offset, recovered }: TopicResult,
  asked: Position | undefined,
): void {
  const from = (asked?.epoch || epoch) === epoch && asked?.offset;
  if (recovered === false) clearMap(feed, topic);
  // Until the snapshot has come it shows what it had, and would go on from there, also at a gateway that lags.
  else if (from && from === known.seen) known.offset = from;
  else if (!recovered || from !== offset) {
    // After offset 0, and for a pattern's topic without a position, everything may follow in place of a snapshot.
    complete(feed, known, !offset);
    if (!offset || (feed.isPattern && !asked)) clearMap(feed, topic);
  }
}

/**
 * The reply to a pattern's cursor. Missed publications follow, and losses are named, topic by topic. If the gateway
 * can't tell them, all values of state topics follow. Until the end the old ones are shown, and then those are dropped
 * of topics that are gone.
 */
function continued<P extends FeedPublication>(
  feed: Feed<P>,
  { recovered = false, cursor }: Pick<Granted, 'recovered' | 'cursor'>,
): void {
  continuing.set(feed, recovered);
  if (!recovered) {
    for (const [topic, known] of feed.extras?.inherited ?? []) feed.stand(topic, known);
    for (const [topic, known] of feed.topics) if (known.map) complete(feed, feed.stand(topic, known), false);
    feed.emitter.emit('gap', { topic: feed.topic, epoch: '' });
  }
  if (cursor !== undefined) endContinuation(feed);
}

function endContinuation<P extends FeedPublication>(feed: Feed<P>): void {
  const isWhole = continuing.get(feed);
  continuing.delete(feed);
  if (isWhole) feed.emitter.emit('recovered', { topic: feed.topic, epoch: '', offset: 0 });
  else if (isWhole === false)
    for (const [topic, known] of feed.topics)
      if (known.awaitsSnapshot) {
        complete(feed, known, true);
        clearMap(feed, topic);
      }
  feed.emitter.emit('live');
}

// -- pushes -------------------------------------------------------------------------------------------

/** Its position in the topic of a batch. A topic of a pattern that is not known begins with the batch. */
export function placeOf<P extends FeedPublication>(
  feed: Feed<P>,
  topic: string,
  { epoch, after }: BatchStart,
): FeedTopic<P> {
  const known = feed.topics.get(topic);
  const start = { epoch: epoch ?? '', offset: after };
  if (!known) return start;
  if ((epoch ?? known.epoch) === known.epoch) return known;
  resetFeed(feed, { topic, epoch: start.epoch, offset: 0, mode: known.map ? 'state' : 'stream' });
  lost(feed, topic, start.epoch, { after: 0, upto: after });
  return feed.stand(topic, start);
}

/** Takes a page of a snapshot, and emits the snapshot after the last page. */
export function snapshot<P extends FeedPublication>(
  feed: Feed<P>,
  page: Omit<ServerKinds['snapshot'], 'publications'> & { publications: readonly P[] },
): void {
  const { topic, epoch, offset } = page;
  const known = feed.topics.get(topic) ?? feed.stand(topic, { epoch, offset: 0, awaitsSnapshot: true });
  known.map ??= new LiveMap();
  if (!known.map.page(page.publications, page)) return;
  feed.stand(topic, { epoch, offset });
  complete(feed, known, true);
  show(feed, { topic, epoch, offset }, known.map);
}

/** Emits all values of a state topic. */
export function show<P extends FeedPublication>(feed: Feed<P>, at: TopicPosition, map: LiveMap<P>): void {
  feed.emitter.emit('snapshot', map.entries, at);
  feed.tellMap(at.topic, map);
}

/** Takes a new epoch, also that of a new state topic in a pattern. A known epoch changes nothing. */
export function resetFeed<P extends FeedPublication>(
  feed: Feed<P>,
  { topic, epoch, offset, mode }: Omit<ServerKinds['reset'], 'view'>,
): void {
  const previous = feed.at(topic);
  if (previous?.epoch === epoch) return;
  complete(feed, learn(feed, topic, mode, { epoch, offset }), true);
  if (previous?.epoch) tellReset(feed, topic, previous);
  clearMap(feed, topic);
}

/**
 * `recovered: false`: names what is gone, also of a topic that is gone, or that is new since the client was away, or of
 * all topics of the pattern; and the catch-up continues. Otherwise live batches follow.
 */
export function caughtUp<P extends FeedPublication>(feed: Feed<P>, frame: ServerKinds['caughtUp']): void {
  if (frame.recovered) {
    endContinuation(feed);
    if (feed.state === 'lagging') feed.enter('live');
    return;
  }
  if (frame.topic.endsWith('*')) continued(feed, frame);
  else beginTopic(feed, { ...frame, mode: 'stream' });
}

/** `isComplete`: all values of a state topic have come. */
export function complete<P extends FeedPublication>(
  feed: Feed<P>,
  known: FeedTopic<P>,
  isComplete: boolean,
): void {
  known.awaitsSnapshot = !(feed.extras?.completes(known, isComplete) ?? isComplete);
}

// -- inside -------------------------------------------------------------------------------------------

function notWhole(feed: object): void {
  if (continuing.get(feed)) continuing.set(feed, false);
}

/** What a gateway that lags goes back to may have been delivered before: it goes on after that. */
function tellReset<P extends FeedPublication>(feed: Feed<P>, topic: string, previous: Position): void {
  notWhole(feed);
  feed.emitter.emit('reset', { topic, ...(feed.at(topic) as Position) }, previous);
}

/** Emits a gap for the part of a loss that was not delivered, in the numbering that the feed is in now. */
function lost<P extends FeedPublication>(
  feed: Feed<P>,
  topic: string,
  epoch: string,
  missing: OffsetRange,
): void {
  // There may be less than the `last` N that were wished for.
  const seen = feed.extras?.wishes.get(topic) ?? feed.topics.get(topic)?.seen ?? 0;
  const after = Math.max(missing.after, seen);
  if (after >= missing.upto) return;
  notWhole(feed);
  feed.emitter.emit('gap', { topic, epoch, missing: { after, upto: missing.upto } });
}

function learn<P extends FeedPublication>(
  feed: Feed<P>,
  topic: string,
  mode: Mode,
  at: FeedTopic<P>,
): FeedTopic<P> {
  if (mode === 'stream') clearMap(feed, topic);
  const known = feed.stand(topic, at);
  if (mode === 'state') known.map ??= new LiveMap();
  else known.map = known.awaitsSnapshot = undefined;
  return known;
}

function clearMap<P extends FeedPublication>(feed: Feed<P>, topic: string): void {
  const map = feed.topics.get(topic)?.map;
  const size = map?.own.size;
  map?.clear();
  if (size) feed.tellMap(topic, map);
}

import { Feed, type View } from '../fanout/view.ts';
import type { Metrics } from '../metrics.ts';
import type { Granted, Mode, Subscription, TopicPosition, TopicResult } from '../protocol/frames.ts';
import type { Broker } from '../topics/broker.ts';
import { type Cursor, cursorNow, parseCursor } from '../topics/cursor.ts';
import type { Topic } from '../topics/topic.ts';
import { patternMatches } from '../topics/topic-name.ts';
import { takeSnapshot } from './catch-up.ts';
import { type BacklogItem, backlogAfter, goneAfter, PatternBacklog } from './pattern-backlog.ts';
import { type Start, snapshotBacklog, startNew, startSince, type TopicBacklog } from './topic-backlog.ts';

/** Topics that the reply to a pattern lists; the others introduce themselves with their first frame. */
const topicsListedMax = 1000;

export interface StartOptions {
  readonly broker: Broker;
  /** Of a topic of this name. */
  readonly modeOf: (topic: string) => Mode;
  readonly metrics: Pick<Metrics, 'recoveriesTotal'>;
}

/** What a subscriber is told of where it starts. */
type StartResult = Omit<Granted, 'topic' | 'view' | 'intervalMs'>;

export interface TopicStarted {
  readonly backlog: TopicBacklog;
  readonly result: StartResult;
}

export interface PatternStarted {
  readonly backlog: PatternBacklog;
  readonly result: StartResult;
}

/** Where a subscription to one topic starts. */
export function startTopic(feed: Feed, subscription: Subscription, options: StartOptions): TopicStarted {
  const { broker, metrics } = options;
  const { since, last = 0, cursor } = subscription;
  const start =
    since === undefined ? startNew(feed, last) : startSince(feed.topic, since, knownSeq(broker, cursor));
  if (since !== undefined) metrics.recoveriesTotal.inc({ outcome: start.outcome });
  const { epoch, position: offset, recovered, missing, needsSnapshot } = start;
  const { mode } = feed.topic.options;
  const isLevel = offset === feed.topic.ring.newest && !needsSnapshot;
  const now = isLevel ? cursorNow(broker) : undefined;
  return {
    backlog: backlogOf(feed, start, broker.nowMs()),
    result: { mode, epoch, offset, recovered, missing, cursor: now },
  };
}

/** Where a subscription to a pattern starts. */
export function startPattern(view: View, subscription: Subscription, options: StartOptions): PatternStarted {
  if (subscription.cursor !== undefined) return startAtCursor(view, subscription.cursor, options);
  if (subscription.positions !== undefined) return startAtPositions(view, subscription.positions, options);
  return startPatternNew(view, subscription.last ?? 0, options);
}

const noTopic = { mode: 'stream', epoch: '', offset: 0 } as const;

function startAtCursor(view: View, text: string, { broker, modeOf, metrics }: StartOptions): PatternStarted {
  const cursor = validCursor(broker, text);
  const seq = cursor?.seq ?? 0;
  const recovered = cursor !== undefined && seq >= broker.commits.forgottenSeq;
  metrics.recoveriesTotal.inc({ outcome: recovered ? 'recovered' : 'gap' });
  const lacksValues = cursor?.lacksValues === true;
  const backlogOfTopic = (topic: Topic) =>
    lacksValues && topic.state !== undefined
      ? snapshotBacklog(feedOf(view, topic))
      : backlogAfter(view, topic, seq, cursor === undefined);
  const published = cursor === undefined ? broker.topics() : broker.publishedAfter(seq);
  const topics = new Set(matching(view, published));
  if (lacksValues) for (const topic of matching(view, broker.topics())) if (topic.state) topics.add(topic);
  const gone = goneAfter(broker, view, lacksValues ? 0 : seq);
  const lost = gone.filter(({ name, numbering }) => numbering.seq > seq || modeOf(name) === 'state');
  const backlog = new PatternBacklog(
    broker,
    view,
    lost.map((each) => ({ gone: each })),
    [...topics],
    backlogOfTopic,
  );
  const isLevel = topics.size + lost.length === 0;
  return { backlog, result: { ...noTopic, recovered, cursor: isLevel ? cursorNow(broker) : undefined } };
}

/** A client that knows no cursors: topics that it does not name were born since it knew the pattern. */
function startAtPositions(
  view: View,
  positions: readonly TopicPosition[],
  { broker, modeOf, metrics }: StartOptions,
): PatternStarted {
  const known = new Map(positions.map((position) => [position.topic, position]));
  const startOf = (topic: Topic) => {
    const start = startSince(topic, known.get(topic.name) ?? { epoch: '', offset: 0 });
    metrics.recoveriesTotal.inc({ outcome: start.outcome });
    return start;
  };
  const started = startEach(view, [...matching(view, broker.topics())], broker, startOf);
  const isGone = ({ topic, epoch }: TopicPosition) =>
    epoch !== '' && patternMatches(view.options.target, topic) && broker.find(topic) === undefined;
  const gone = positions.filter(isGone).map((position) => goneResult(position, broker, modeOf));
  return { ...started, result: { ...noTopic, topics: [...started.topics, ...gone] } };
}

function startPatternNew(view: View, last: number, { broker }: StartOptions): PatternStarted {
  const startOf = (topic: Topic) => startNew(feedOf(view, topic), last);
  const lacking: Topic[] = [];
  const level: Topic[] = [];
  let lacksValues = false;
  for (const topic of matching(view, broker.topics())) {
    if (topic.state !== undefined) lacksValues = true;
    if (topic.state !== undefined || last > 0) lacking.push(topic);
    else if (level.length < topicsListedMax) level.push(topic);
  }
  const { backlog, topics } = startEach(view, lacking, broker, startOf);
  const rest = level.slice(0, topicsListedMax - topics.length);
  const listed = [...topics, ...rest.map((topic) => resultOf(topic, startOf(topic)))];
  return { backlog, result: { ...noTopic, topics: listed, cursor: cursorNow(broker, lacksValues) } };
}

/** Those that the reply lists start from where they are now; the others when their turn comes. */
function startEach(
  view: View,
  topics: readonly Topic[],
  broker: Broker,
  startOf: (topic: Topic) => Start,
): { backlog: PatternBacklog; topics: TopicResult[] } {
  const listed = topics.slice(0, topicsListedMax).map((topic) => ({ topic, start: startOf(topic) }));
  const items = listed.map(
    ({ topic, start }): BacklogItem => ({ backlog: lateBacklogOf(feedOf(view, topic), start) }),
  );
  const backlog = new PatternBacklog(broker, view, items, topics.slice(topicsListedMax), (topic) =>
    lateBacklogOf(feedOf(view, topic), startOf(topic)),
  );
  return { backlog, topics: listed.map(({ topic, start }) => resultOf(topic, start)) };
}

/** What a client is told of a topic that it has a position in and whose content is gone. */
function goneResult(
  { topic, epoch: knownEpoch, offset: knownOffset }: TopicPosition,
  broker: Broker,
  modeOf: StartOptions['modeOf'],
): TopicResult {
  const mode = modeOf(topic);
  const { epoch, offset } = broker.numbering(topic) ?? { epoch: '', offset: 0 };
  const isSame = epoch === knownEpoch && knownOffset <= offset;
  const recovered = isSame && knownOffset === offset;
  const missing =
    isSame && !recovered && mode === 'stream' ? { after: knownOffset, upto: offset } : undefined;
  return { topic, epoch, offset, mode, recovered, missing };
}

function resultOf({ name, options }: Topic, { epoch, position, recovered, missing }: Start): TopicResult {
  return { topic: name, epoch, offset: position, mode: options.mode, recovered, missing };
}

function backlogOf(feed: Feed, { epoch, position, needsSnapshot }: Start, nowMs: number): TopicBacklog {
  return { feed, epoch, position, snapshot: needsSnapshot ? takeSnapshot({ feed }, nowMs) : undefined };
}

function lateBacklogOf(feed: Feed, { epoch, position, needsSnapshot }: Start): TopicBacklog {
  return needsSnapshot ? snapshotBacklog(feed) : { feed, epoch, position, snapshot: undefined };
}

function feedOf(view: View, topic: Topic): Feed {
  return view.feeds.get(topic) ?? new Feed(view, topic);
}

function* matching({ options }: View, topics: Iterable<Topic>): Iterable<Topic> {
  for (const topic of topics) if (patternMatches(options.target, topic.name)) yield topic;
}

/** Up to which commit the client has had everything; 0: that is not known. */
function knownSeq(broker: Broker, cursor: string | undefined): number {
  return (cursor === undefined ? undefined : validCursor(broker, cursor))?.seq ?? 0;
}

/** Undefined: it is of another numbering of commits, or not a cursor at all. */
function validCursor({ commits, seq }: Broker, text: string): Cursor | undefined {
  const cursor = parseCursor(text);
  return cursor !== undefined && cursor.epoch === commits.epoch && cursor.seq <= seq ? cursor : undefined;
}

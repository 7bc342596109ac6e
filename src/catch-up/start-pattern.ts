import type { View } from '../fanout/view.ts';
import type { Subscription, TopicPosition, TopicResult } from '../protocol/frames.ts';
import type { Broker } from '../topics/broker.ts';
import { cursorNow } from '../topics/cursor.ts';
import type { Topic } from '../topics/topic.ts';
import { patternMatches } from '../topics/topic-name.ts';
import { type BacklogOf, backlogAfter, feedOf, goneAfter, PatternBacklog } from './pattern-backlog.ts';
import {
  type Start,
  type StartOptions,
  type StartResult,
  startNew,
  startSince,
  validCursor,
} from './start-topic.ts';
import { TopicBacklog } from './topic-backlog.ts';

/** Topics that the reply to a pattern lists; the others introduce themselves with their first frame. */
const maxTopicsListed = 1000;

export interface PatternStarted {
  readonly backlog: PatternBacklog;
  readonly result: StartResult;
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
      ? TopicBacklog.ofAllValues(feedOf(view, topic))
      : backlogAfter(view, topic, seq, cursor === undefined);
  const published = cursor === undefined ? broker.topics() : broker.publishedAfter(seq);
  const topics = new Set(matching(view, published));
  if (lacksValues) for (const topic of matching(view, broker.topics())) if (topic.state) topics.add(topic);
  const gone = goneAfter(broker, view, lacksValues ? 0 : seq);
  const lost = gone.filter(({ name, numbering }) => numbering.seq > seq || modeOf(name) === 'state');
  const backlog = new PatternBacklog(broker, view, lost, [...topics], backlogOfTopic);
  const isLevel = topics.size + lost.length === 0;
  return { backlog, result: { ...noTopic, recovered, cursor: isLevel ? cursorNow(broker) : undefined } };
}

/** For a client that knows no cursors. Topics that it does not name were born since it knew the pattern. */
function startAtPositions(
  view: View,
  positions: readonly TopicPosition[],
  { broker, modeOf, metrics }: StartOptions,
): PatternStarted {
  const known = new Map(positions.map((position) => [position.topic, position]));
  const startOf = (topic: Topic) => {
    const start = startSince(topic, known.get(topic.name) ?? { epoch: '', offset: 0 });
    if (start.outcome !== undefined) metrics.recoveriesTotal.inc({ outcome: start.outcome });
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
    else if (level.length < maxTopicsListed) level.push(topic);
  }
  const { seq } = broker;
  const { backlog, topics } = startEach(view, lacking, broker, startOf, (topic) =>
    lastBacklog(view, topic, seq, last),
  );
  const rest = level.slice(0, maxTopicsListed - topics.length);
  const listed = [...topics, ...rest.map((topic) => resultOf(topic, startOf(topic)))];
  return { backlog, result: { ...noTopic, topics: listed, cursor: cursorNow(broker, lacksValues) } };
}

/** The last N publications up to this commit, and all after it. */
function lastBacklog(view: View, topic: Topic, seq: number, last: number): TopicBacklog {
  const { ring, epoch } = topic;
  if (topic.state !== undefined) return TopicBacklog.ofAllValues(feedOf(view, topic));
  if (ring.evictedSeq > seq) return backlogAfter(view, topic, seq);
  const position = Math.max(ring.reach, ring.offsetAtSeq(seq) - last);
  return new TopicBacklog(feedOf(view, topic), epoch, position);
}

/**
 * The topics that the reply lists start from where they are now. `laterOf` makes the backlogs of the others in their
 * turn.
 */
function startEach(
  view: View,
  topics: readonly Topic[],
  broker: Broker,
  startOf: (topic: Topic) => Start,
  laterOf: BacklogOf = (topic) => backlogFrom(view, topic, startOf(topic)),
): { backlog: PatternBacklog; topics: TopicResult[] } {
  const listed = topics.slice(0, maxTopicsListed).map((topic) => ({ topic, start: startOf(topic) }));
  const items = listed.map(({ topic, start }) => backlogFrom(view, topic, start));
  const backlog = new PatternBacklog(broker, view, items, topics.slice(maxTopicsListed), laterOf);
  return { backlog, topics: listed.map(({ topic, start }) => resultOf(topic, start)) };
}

function backlogFrom(view: View, topic: Topic, { epoch, position, needsSnapshot }: Start): TopicBacklog {
  const feed = feedOf(view, topic);
  return needsSnapshot ? TopicBacklog.ofAllValues(feed) : new TopicBacklog(feed, epoch, position);
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

function* matching({ options }: View, topics: Iterable<Topic>): Iterable<Topic> {
  for (const topic of topics) if (patternMatches(options.target, topic.name)) yield topic;
}

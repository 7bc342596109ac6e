import type { View } from '../fanout/view.ts';
import type { Position, Subscription, TopicPosition, TopicResult } from '../protocol/frames.ts';
import type { Broker } from '../topics/broker.ts';
import { cursorNow, type Progress, Resumption } from '../topics/cursor.ts';
import type { Topic } from '../topics/topic.ts';
import { patternMatches } from '../topics/topic-name.ts';
import {
  type ContinuationOptions,
  noTopic,
  type PatternProgress,
  type PatternStarted,
  startAfter,
  withoutValues,
} from './continue-pattern.ts';
import { ListedTopic } from './listed-topic.ts';
import {
  backlogAfter,
  type GoneTopic,
  goneAfter,
  type LaterTopics,
  PatternBacklog,
} from './pattern-backlog.ts';
import { type Start, type StartOptions, startNew, startSince, validCursor } from './start-topic.ts';
import { StartedTopics } from './started-topics.ts';
import { TopicBacklog } from './topic-backlog.ts';

/** Topics that the patterns of one reply list; the others introduce themselves with their first frame. */
export const topicsListedMax = 1000;

interface PatternOptions extends ContinuationOptions {
  /** How many topics the reply may list for it. */
  readonly listedMax: number;
}

/** Where a subscription to a pattern starts. */
export function startPattern(
  view: View,
  subscription: Subscription,
  options: PatternOptions,
): PatternStarted {
  const { cursor, positions } = subscription;
  if (cursor !== undefined) return startAtCursor(view, cursor, positions ?? [], options);
  if (positions !== undefined) return startAtPositions(view, positions, options);
  return startPatternNew(view, subscription.last ?? 0, options);
}

/** `positions`: of topics in which the client has not had all that the cursor says. */
function startAtCursor(
  view: View,
  text: string,
  positions: readonly TopicPosition[],
  options: PatternOptions,
): PatternStarted {
  const { broker, modeOf, metrics } = options;
  const cursor = validCursor(broker.commits, text);
  const { target } = view.options;
  const named = cursor === undefined ? noProgress : new Resumption(cursor, target, view.deliveryKey);
  const { lowest } = named;
  const recovered = cursor !== undefined && lowest.seq >= broker.commits.forgottenSeq;
  // The client can't be told which topics are gone. Of state topics it drops those whose values do not come again.
  const progress = recovered ? named : withoutValues(named);
  metrics.recoveriesTotal.inc({ outcome: recovered ? 'recovered' : 'gap' });
  const own = positions.slice(0, topicsListedMax).flatMap((position) => {
    const topic = patternMatches(target, position.topic) && broker.find(position.topic);
    return topic && topic.epoch !== '' && (recovered || topic.state === undefined)
      ? [{ topic, start: startSince(topic, position, broker.commits) }]
      : [];
  });
  const lacksGone = ({ name, numbering }: GoneTopic, { seq, lacksValues }: Progress) =>
    numbering.seq > seq || (lacksValues && modeOf(name) === 'state');
  const goneSeq = lowest.lacksValues ? 0 : lowest.seq;
  const { cursor: now, ...started } = startAfter(view, progress, options, {
    own,
    goneSeq,
    lacksGone,
    isKnown: cursor !== undefined,
  });
  const listed = [
    ...own.map(({ topic, start }) => new ListedTopic(topic, start)),
    ...goneResults(view, positions, options),
  ];
  const topics = listed.length > 0 ? listed : undefined;
  return { ...started, result: { ...noTopic, recovered, topics, cursor: now } };
}

/** What a client has had whose cursor is of another numbering of commits. */
const nothingHad: Progress = { seq: 0, lacksValues: false };
const noProgress: PatternProgress = {
  base: nothingHad,
  of: () => nothingHad,
  lowest: nothingHad,
  hasExceptions: false,
};

/** For a client that knows no cursors. Topics that it does not name were born since it knew the pattern. */
function startAtPositions(
  view: View,
  positions: readonly TopicPosition[],
  { broker, modeOf, metrics, listedMax }: PatternOptions,
): PatternStarted {
  const byName = new Map(positions.map((position) => [position.topic, position]));
  const startOf = (topic: Topic) => {
    const start = startSince(topic, byName.get(topic.name) ?? { epoch: '', offset: 0 }, broker.commits);
    if (start.outcome !== undefined) metrics.recoveriesTotal.inc({ outcome: start.outcome });
    return start;
  };
  const matches = takeMatches(broker.topicsOf(view.options.target), listedMax);
  // Topics that the client names are looked up now, so that it is told if one loses its content before its turn.
  const listed = new Set(matches.first);
  const namedTopics = [...byName.keys()].flatMap((name) => {
    const topic =
      matches.areAll || !patternMatches(view.options.target, name) ? undefined : broker.find(name);
    return topic === undefined || topic.epoch === '' || listed.has(topic) ? [] : [topic];
  });
  const rest = chained(namedTopics, unnamed(matches.rest, byName));
  const started = startEach(view, { ...matches, rest }, broker, startOf, {
    backlogOf: (topic) => backlogOfUnlisted(view, topic, startOf(topic), byName.get(topic.name)),
    progress: { seq: matches.areAll ? broker.commits.seq : 0, lacksValues: false },
  });
  const gone = goneResults(view, positions, { broker, modeOf });
  const recovered = mayLackOthers(view, byName, broker) ? false : undefined;
  return { ...started, result: { ...noTopic, recovered, topics: [...started.topics, ...gone] } };
}

/**
 * Whether topics that a client does not name may have come and gone since it knew the pattern. Positions do not say
 * when that was. If none is of a numbering that is still there, the engine may have begun anew since then.
 */
function mayLackOthers(view: View, known: ReadonlyMap<string, TopicPosition>, broker: Broker): boolean {
  const { commits } = broker;
  if (commits.forgottenSeq > 0) return true;
  for (const { name } of goneAfter(broker, view, 0)) if (!known.get(name)?.epoch) return true;
  for (const { topic, epoch } of known.values()) {
    const here = broker.find(topic)?.epoch || commits.lastPosition(topic).epoch;
    if (epoch !== '' && epoch === here) return false;
  }
  return true;
}

function startPatternNew(view: View, last: number, { broker, listedMax }: PatternOptions): PatternStarted {
  const startOf = (topic: Topic) => startNew(view.feedFor(topic), last);
  const { target } = view.options;
  const lacksValues = broker.statesOf(target).next().done !== true;
  const lacking = takeMatches(last > 0 ? broker.topicsOf(target) : broker.statesOf(target), listedMax);
  const { seq } = broker.commits;
  // Of those that are not listed nothing was sent yet.
  const progress = { seq: last > 0 ? 0 : seq, lacksValues };
  const { backlog, topics } = startEach(view, lacking, broker, startOf, {
    backlogOf: (topic) => lastBacklog(view, topic, seq, last),
    progress: lacking.areAll ? { seq, lacksValues: false } : progress,
  });
  const others = last > 0 ? [] : firstStreams(broker.topicsOf(target), listedMax - topics.length);
  const listed = [...topics, ...others.map((topic) => new ListedTopic(topic, startOf(topic)))];
  // A client that is cut off before the last N have come goes on from the positions that the reply names.
  const lacksNothing = lacking.first.length === 0 && lacking.areAll;
  const cursor = last > 0 && !lacksNothing ? undefined : cursorNow(broker.commits, lacksValues);
  return { backlog, result: { ...noTopic, topics: listed, cursor } };
}

/** The last N publications up to this commit, and all after it. */
function lastBacklog(view: View, topic: Topic, seq: number, last: number): TopicBacklog {
  const { ring, epoch } = topic;
  if (topic.state !== undefined) return TopicBacklog.ofAllValues(view.feedFor(topic));
  if (ring.evictedSeq > seq) return backlogAfter(view, topic, seq);
  const position = Math.max(ring.reach, ring.offsetAtSeq(seq) - last);
  return new TopicBacklog(view.feedFor(topic), epoch, position);
}

/**
 * The topics that the reply lists start from where they are now. `later` makes the backlogs of the others in their
 * turn.
 */
function startEach(
  view: View,
  { first, rest }: Matches,
  broker: Broker,
  startOf: (topic: Topic) => Start,
  later: Omit<LaterTopics, 'started' | 'topics'>,
): { backlog: PatternBacklog; topics: TopicResult[] } {
  const listed = first.map((topic) => ({ topic, start: startOf(topic) }));
  const started = new StartedTopics(view, listed);
  const backlog = new PatternBacklog(broker, view, [], { ...later, started, topics: rest });
  return { backlog, topics: listed.map(({ topic, start }) => new ListedTopic(topic, start)) };
}

function backlogFrom(view: View, topic: Topic, { epoch, position, needsSnapshot }: Start): TopicBacklog {
  const feed = view.feedFor(topic);
  return needsSnapshot ? TopicBacklog.ofAllValues(feed) : new TopicBacklog(feed, epoch, position);
}

/** No reply says what is lost of a topic that is not listed, so its backlog begins where the client is. */
function backlogOfUnlisted(
  view: View,
  topic: Topic,
  start: Start,
  known: Position | undefined,
): TopicBacklog {
  if (start.recovered !== false || known === undefined) return backlogFrom(view, topic, start);
  return new TopicBacklog(view.feedFor(topic), known.epoch, known.offset);
}

function goneResults(
  view: View,
  positions: readonly TopicPosition[],
  { broker, modeOf }: Pick<StartOptions, 'broker' | 'modeOf'>,
): TopicResult[] {
  // A topic that is only subscribed to is there, and holds nothing.
  const isGone = ({ topic, epoch }: TopicPosition) =>
    epoch !== '' && patternMatches(view.options.target, topic) && (broker.find(topic)?.epoch ?? '') === '';
  return positions.filter(isGone).map((position) => goneResult(position, broker, modeOf));
}

/** What a client is told of a topic that it has a position in and whose content is gone. */
function goneResult(
  { topic, epoch: knownEpoch, offset: knownOffset }: TopicPosition,
  broker: Broker,
  modeOf: StartOptions['modeOf'],
): TopicResult {
  const mode = modeOf(topic);
  const { epoch, offset } = broker.commits.numbering(topic) ?? { epoch: '', offset: 0 };
  const isSame = epoch === knownEpoch && knownOffset <= offset;
  const recovered = isSame && knownOffset === offset;
  const missing =
    isSame && !recovered && mode === 'stream' ? { after: knownOffset, upto: offset } : undefined;
  return { topic, epoch, offset, mode, recovered, missing };
}

/** Topics of a pattern: as many as a reply lists, and the others, found as they are taken. */
interface Matches {
  readonly first: readonly Topic[];
  /** Topics that are born until they are taken are among them. */
  readonly rest: Iterable<Topic>;
  /** There are no others. */
  readonly areAll: boolean;
}

function takeMatches(found: Generator<Topic, void, undefined>, most: number): Matches {
  const first: Topic[] = [];
  for (;;) {
    const { done, value: topic } = found.next();
    if (done === true) return { first, rest: [], areAll: true };
    if (first.length === most) return { first, rest: chained([topic], found), areAll: false };
    first.push(topic);
  }
}

function firstStreams(found: Iterable<Topic>, most: number): Topic[] {
  const streams: Topic[] = [];
  if (most > 0)
    for (const topic of found) if (topic.state === undefined && streams.push(topic) === most) break;
  return streams;
}

function* chained(topics: Iterable<Topic>, others: Iterable<Topic>): Iterable<Topic> {
  yield* topics;
  yield* others;
}

function* unnamed(topics: Iterable<Topic>, known: ReadonlyMap<string, unknown>): Iterable<Topic> {
  for (const topic of topics) if (!known.has(topic.name)) yield topic;
}

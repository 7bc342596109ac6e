import type { View } from '../fanout/view.ts';
import type { Position, Subscription, TopicPosition, TopicResult } from '../protocol/frames.ts';
import type { Broker } from '../topics/broker.ts';
import { cursorNow, type Had, Resumption } from '../topics/cursor.ts';
import type { Topic } from '../topics/topic.ts';
import { matching, patternMatches } from '../topics/topic-name.ts';
import { feedOf } from './feed-of.ts';
import { ListedTopic } from './listed-topic.ts';
import {
  backlogAfter,
  type GoneTopic,
  goneAfter,
  type LaterTopics,
  PatternBacklog,
} from './pattern-backlog.ts';
import {
  type Start,
  type StartOptions,
  type StartResult,
  startNew,
  startSince,
  validCursor,
} from './start-topic.ts';
import { StartedTopics } from './started-topics.ts';
import { TopicBacklog } from './topic-backlog.ts';

/**
 * A cursor with exceptions is exact among this many topics. Its keys do not tell which topics they are about, so each
 * topic is looked up by its digest, or by several where the subscriptions have changed. Among more topics the client is
 * taken to be at the earliest position in all, and gets some publications again.
 */
const exactMax = 5000;
/** What a topic that waits for its turn costs, and one that is gone. */
const bytesOfTopic = 8;
const bytesOfGone = 40;

/** Topics that the patterns of one reply list; the others introduce themselves with their first frame. */
export const topicsListedMax = 1000;

export interface PatternStarted {
  readonly backlog: PatternBacklog;
  readonly result: StartResult;
  /** Of lists that the backlog keeps. */
  readonly heldBytes?: number;
}

/** Where a subscription to a pattern continues. */
export interface ContinuationOptions extends StartOptions {
  /** Throws if the backlog may not keep lists of this many bytes. Absent: it may keep any. */
  readonly checkRoom?: (bytes: number) => void;
}

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

const noTopic = { mode: 'stream', epoch: '', offset: 0 } as const;

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
  const named = cursor === undefined ? hadOfNone : new Resumption(cursor, target, view.deliveryKey);
  const { lowest } = named;
  const recovered = cursor !== undefined && lowest.seq >= broker.commits.forgottenSeq;
  // The client can't be told which topics are gone. Of state topics it drops those whose values do not come again.
  const had = recovered ? named : withoutValues(named);
  metrics.recoveriesTotal.inc({ outcome: recovered ? 'recovered' : 'gap' });
  const own = positions.slice(0, topicsListedMax).flatMap((position) => {
    const topic = patternMatches(target, position.topic) && broker.find(position.topic);
    return topic && topic.epoch !== '' && (recovered || topic.state === undefined)
      ? [{ topic, start: startSince(topic, position, broker.commits) }]
      : [];
  });
  const lacksGone = ({ name, numbering }: GoneTopic, { seq, lacksValues }: Had) =>
    numbering.seq > seq || (lacksValues && modeOf(name) === 'state');
  const goneSeq = lowest.lacksValues ? 0 : lowest.seq;
  const { cursor: now, ...started } = startAfter(view, had, options, {
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

/** How far a subscriber is in the topics of a pattern. */
export interface PatternHad {
  /** In all topics but the exceptions. */
  readonly base: Had;
  hadOf(topic: string): Had;
  /** The number of digests that this takes; absent: none. */
  costOf?(topic: string): number;
  /** The earliest position of any topic. */
  readonly lowest: Had;
  readonly hasExceptions: boolean;
}

/** What a client has had whose cursor is of another numbering of commits. */
const nothingHad: Had = { seq: 0, lacksValues: false };
const hadOfNone: PatternHad = {
  base: nothingHad,
  hadOf: () => nothingHad,
  lowest: nothingHad,
  hasExceptions: false,
};

/** The same publications of streams, and no values of state topics. */
function withoutValues(had: PatternHad): PatternHad {
  const lacking = ({ seq }: Had) => ({ seq, lacksValues: true });
  return {
    base: lacking(had.base),
    hadOf: (topic) => lacking(had.hadOf(topic)),
    costOf: (topic) => had.costOf?.(topic) ?? 0,
    lowest: lacking(had.lowest),
    hasExceptions: had.hasExceptions,
  };
}

/** For a new subscriber, which lacks all values, that was sent the publications of streams up to here. */
export function continuePattern(view: View, had: PatternHad, options: ContinuationOptions): PatternStarted {
  const { cursor, ...started } = startAfter(view, withoutValues(had), options, {
    own: [],
    goneSeq: had.lowest.seq,
    lacksGone: ({ numbering }, { seq }) => numbering.seq > seq,
    isKnown: true,
  });
  return { ...started, result: { ...noTopic, recovered: undefined, topics: undefined, cursor } };
}

interface Beside {
  /** Topics that start at positions of their own. */
  readonly own: readonly { readonly topic: Topic; readonly start: Start }[];
  /** Topics that are gone are looked at if they were published to after this commit. */
  readonly goneSeq: number;
  readonly lacksGone: (gone: GoneTopic, had: Had) => boolean;
  /** The commits that the subscriber has had are of this numbering. */
  readonly isKnown: boolean;
}

interface StartedAfter extends Omit<PatternStarted, 'result'> {
  /** It says that the subscriber lacks nothing. */
  readonly cursor: string | undefined;
}

function startAfter(
  view: View,
  had: PatternHad,
  { broker, checkRoom }: Pick<ContinuationOptions, 'broker' | 'checkRoom'>,
  { own, goneSeq, lacksGone, isKnown }: Beside,
): StartedAfter {
  const { lowest, hasExceptions } = had;
  const owned = new Set(own.map(({ topic }) => topic));
  // Counted before they are listed: a list that may not be kept would cost as much.
  const goneBytes = countOf(goneAfter(broker, view, goneSeq)) * bytesOfGone;
  checkRoom?.(countOf(changedSince(view, broker, lowest, isKnown)) * bytesOfTopic + goneBytes);
  const gone = [...goneAfter(broker, view, goneSeq)];
  const changed: Topic[] = [];
  for (const topic of changedSince(view, broker, lowest, isKnown)) if (!owned.has(topic)) changed.push(topic);
  const isExact = !hasExceptions || costOf(had, [...changed, ...gone]) <= exactMax;
  const hadOf = (topic: string) => (isExact ? had.hadOf(topic) : lowest);
  const elsewhere = new Elsewhere(isExact ? had.base : lowest);
  const topics = changed.filter((topic) => elsewhere.lacks(topic, hadOf(topic.name)));
  const lost = gone.filter((each) => lacksGone(each, hadOf(each.name)));
  const backlogOf = (topic: Topic) => {
    const { seq, lacksValues } = hadOf(topic.name);
    return lacksValues && topic.state !== undefined
      ? TopicBacklog.ofAllValues(feedOf(view, topic))
      : backlogAfter(view, topic, seq, !isKnown);
  };
  const backlog = new PatternBacklog(broker, view, lost, {
    topics,
    backlogOf,
    had: isExact ? had.base : lowest,
    isRounded: !isExact,
    started: new StartedTopics(view, own),
    exceptions: hasExceptions && isExact ? elsewhere.exceptions(lowest) : undefined,
  });
  const lacksNothing = topics.length + lost.length + own.length === 0;
  return {
    backlog,
    cursor: lacksNothing ? cursorNow(broker.commits) : undefined,
    heldBytes: topics.length * bytesOfTopic + lost.length * bytesOfGone,
  };
}

/** Topics in which a subscriber may lack something that has had this. `isKnown`: in the numbering of now. */
function* changedSince(view: View, broker: Broker, had: Had, isKnown: boolean): Generator<Topic> {
  const { target } = view.options;
  if (!isKnown) yield* broker.topicsOf(target);
  else if (!had.lacksValues) yield* matching(target, broker.commits.publishedAfter(had.seq));
  else {
    yield* broker.statesOf(target);
    for (const topic of matching(target, broker.commits.publishedAfter(had.seq)))
      if (topic.state === undefined) yield topic;
  }
}

function costOf(had: PatternHad, topics: readonly { readonly name: string }[]): number {
  return topics.reduce((sum, { name }) => sum + (had.costOf?.(name) ?? 0), 0);
}

function countOf(items: Iterable<unknown>): number {
  let count = 0;
  for (const _ of items) count++;
  return count;
}

/** Of the topics of a cursor with exceptions, those that are elsewhere than the others. */
class Elsewhere {
  readonly #base: Had;
  readonly #later: { readonly place: number; readonly name: string; readonly had: Had }[] = [];
  readonly #complete: string[] = [];
  #lacking = 0;

  constructor(base: Had) {
    this.#base = base;
  }

  /** Whether a client that has had this of the topic lacks something of it. */
  lacks({ name, seq, state }: Topic, had: Had): boolean {
    const lacksAt = (at: Had) => seq > at.seq || (at.lacksValues && state !== undefined);
    if (!lacksAt(had)) {
      if (lacksAt(this.#base)) this.#complete.push(name);
      return false;
    }
    const { seq: baseSeq, lacksValues } = this.#base;
    if (had.seq !== baseSeq || had.lacksValues !== lacksValues)
      this.#later.push({ place: this.#lacking, name, had });
    this.#lacking++;
    return true;
  }

  exceptions(lowest: Had): LaterTopics['exceptions'] {
    return { later: this.#later, complete: this.#complete, lowest };
  }
}

/** For a client that knows no cursors. Topics that it does not name were born since it knew the pattern. */
function startAtPositions(
  view: View,
  positions: readonly TopicPosition[],
  { broker, modeOf, metrics, listedMax }: PatternOptions,
): PatternStarted {
  const known = new Map(positions.map((position) => [position.topic, position]));
  const startOf = (topic: Topic) => {
    const start = startSince(topic, known.get(topic.name) ?? { epoch: '', offset: 0 }, broker.commits);
    if (start.outcome !== undefined) metrics.recoveriesTotal.inc({ outcome: start.outcome });
    return start;
  };
  const matches = takeMatches(broker.topicsOf(view.options.target), listedMax);
  // Topics that the client names are looked up now, so that it is told if one loses its content before its turn.
  const listed = new Set(matches.first);
  const named = [...known.keys()].flatMap((name) => {
    const topic =
      matches.areAll || !patternMatches(view.options.target, name) ? undefined : broker.find(name);
    return topic === undefined || topic.epoch === '' || listed.has(topic) ? [] : [topic];
  });
  const rest = chained(named, unnamed(matches.rest, known));
  const started = startEach(view, { ...matches, rest }, broker, startOf, {
    backlogOf: (topic) => backlogOfUnlisted(view, topic, startOf(topic), known.get(topic.name)),
    had: { seq: matches.areAll ? broker.commits.seq : 0, lacksValues: false },
  });
  const gone = goneResults(view, positions, { broker, modeOf });
  return { ...started, result: { ...noTopic, topics: [...started.topics, ...gone] } };
}

function startPatternNew(view: View, last: number, { broker, listedMax }: PatternOptions): PatternStarted {
  const startOf = (topic: Topic) => startNew(feedOf(view, topic), last);
  const { target } = view.options;
  const lacksValues = broker.statesOf(target).next().done !== true;
  const lacking = takeMatches(last > 0 ? broker.topicsOf(target) : broker.statesOf(target), listedMax);
  const { seq } = broker.commits;
  // Of those that are not listed nothing was sent yet.
  const had = { seq: last > 0 ? 0 : seq, lacksValues };
  const { backlog, topics } = startEach(view, lacking, broker, startOf, {
    backlogOf: (topic) => lastBacklog(view, topic, seq, last),
    had: lacking.areAll ? { seq, lacksValues: false } : had,
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
  if (topic.state !== undefined) return TopicBacklog.ofAllValues(feedOf(view, topic));
  if (ring.evictedSeq > seq) return backlogAfter(view, topic, seq);
  const position = Math.max(ring.reach, ring.offsetAtSeq(seq) - last);
  return new TopicBacklog(feedOf(view, topic), epoch, position);
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
  const feed = feedOf(view, topic);
  return needsSnapshot ? TopicBacklog.ofAllValues(feed) : new TopicBacklog(feed, epoch, position);
}

/** No reply says what is lost of a topic that is not listed, so its backlog begins where the client is. */
function backlogOfUnlisted(view: View, topic: Topic, start: Start, had: Position | undefined): TopicBacklog {
  if (start.recovered !== false || had === undefined) return backlogFrom(view, topic, start);
  return new TopicBacklog(feedOf(view, topic), had.epoch, had.offset);
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

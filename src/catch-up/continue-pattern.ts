import type { View } from '../fanout/view.ts';
import type { Broker } from '../topics/broker.ts';
import { cursorNow, type Progress } from '../topics/cursor.ts';
import type { Topic } from '../topics/topic.ts';
import { matching } from '../topics/topic-name.ts';
import {
  backlogAfter,
  type GoneTopic,
  goneAfter,
  type LaterTopics,
  PatternBacklog,
} from './pattern-backlog.ts';
import type { Start, StartOptions, StartResult } from './start-topic.ts';
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

/** How far a subscriber is in the topics of a pattern. */
export interface PatternProgress {
  /** In all topics but the exceptions. */
  readonly base: Progress;
  of(topic: string): Progress;
  /** The number of digests that this takes; absent: none. */
  costOf?(topic: string): number;
  /** The earliest position of any topic. */
  readonly lowest: Progress;
  readonly hasExceptions: boolean;
}

export const noTopic = { mode: 'stream', epoch: '', offset: 0 } as const;

/** For a new subscriber, which lacks all values, that was sent the publications of streams up to here. */
export function continuePattern(
  view: View,
  progress: PatternProgress,
  options: ContinuationOptions,
): PatternStarted {
  const { cursor, ...started } = startAfter(view, withoutValues(progress), options, {
    own: [],
    goneSeq: progress.lowest.seq,
    lacksGone: ({ numbering }, { seq }) => numbering.seq > seq,
    isKnown: true,
  });
  return { ...started, result: { ...noTopic, recovered: undefined, topics: undefined, cursor } };
}

interface StartAfterOptions {
  /** Topics that start at positions of their own. */
  readonly own: readonly { readonly topic: Topic; readonly start: Start }[];
  /** Topics that are gone are looked at if they were published to after this commit. */
  readonly goneSeq: number;
  readonly lacksGone: (gone: GoneTopic, progress: Progress) => boolean;
  /** The commits that the subscriber has had are of this numbering. */
  readonly isKnown: boolean;
}

interface StartedAfter extends Omit<PatternStarted, 'result'> {
  /** It says that the subscriber lacks nothing. */
  readonly cursor: string | undefined;
}

/** What a subscriber of a pattern lacks that has had this. */
export function startAfter(
  view: View,
  progress: PatternProgress,
  { broker, checkRoom }: Pick<ContinuationOptions, 'broker' | 'checkRoom'>,
  { own, goneSeq, lacksGone, isKnown }: StartAfterOptions,
): StartedAfter {
  const { lowest, hasExceptions } = progress;
  const owned = new Set(own.map(({ topic }) => topic));
  // Counted before they are listed: a list that may not be kept would cost as much.
  const goneBytes = countOf(goneAfter(broker, view, goneSeq)) * bytesOfGone;
  checkRoom?.(countOf(changedSince(view, broker, lowest, isKnown)) * bytesOfTopic + goneBytes);
  const gone = [...goneAfter(broker, view, goneSeq)];
  const changed: Topic[] = [];
  for (const topic of changedSince(view, broker, lowest, isKnown)) if (!owned.has(topic)) changed.push(topic);
  const isExact = !hasExceptions || costOf(progress, [...changed, ...gone]) <= exactMax;
  const progressIn = (topic: string) => (isExact ? progress.of(topic) : lowest);
  const lists = new ExceptionLists(isExact ? progress.base : lowest);
  const topics = changed.filter((topic) => lists.lacks(topic, progressIn(topic.name)));
  const lost = gone.filter((each) => lacksGone(each, progressIn(each.name)));
  const backlogOf = (topic: Topic) => {
    const { seq, lacksValues } = progressIn(topic.name);
    return lacksValues && topic.state !== undefined
      ? TopicBacklog.ofAllValues(view.feedFor(topic))
      : backlogAfter(view, topic, seq, !isKnown);
  };
  const backlog = new PatternBacklog(broker, view, lost, {
    topics,
    backlogOf,
    progress: isExact ? progress.base : lowest,
    isRounded: !isExact,
    started: new StartedTopics(view, own),
    exceptions: hasExceptions && isExact ? lists.exceptions(lowest) : undefined,
  });
  const lacksNothing = topics.length + lost.length + own.length === 0;
  return {
    backlog,
    cursor: lacksNothing ? cursorNow(broker.commits) : undefined,
    heldBytes: topics.length * bytesOfTopic + lost.length * bytesOfGone,
  };
}

/** The same publications of streams, and no values of state topics. */
export function withoutValues(progress: PatternProgress): PatternProgress {
  const lacking = ({ seq }: Progress) => ({ seq, lacksValues: true });
  return {
    base: lacking(progress.base),
    of: (topic) => lacking(progress.of(topic)),
    costOf: (topic) => progress.costOf?.(topic) ?? 0,
    lowest: lacking(progress.lowest),
    hasExceptions: progress.hasExceptions,
  };
}

/** Topics in which a subscriber may lack something that has had this. `isKnown`: in the numbering of now. */
function* changedSince(view: View, broker: Broker, progress: Progress, isKnown: boolean): Generator<Topic> {
  const { target } = view.options;
  if (!isKnown) yield* broker.topicsOf(target);
  else if (!progress.lacksValues) yield* matching(target, broker.commits.publishedAfter(progress.seq));
  else {
    yield* broker.statesOf(target);
    for (const topic of matching(target, broker.commits.publishedAfter(progress.seq)))
      if (topic.state === undefined) yield topic;
  }
}

function costOf(progress: PatternProgress, topics: readonly { readonly name: string }[]): number {
  return topics.reduce((sum, { name }) => sum + (progress.costOf?.(name) ?? 0), 0);
}

function countOf(items: Iterable<unknown>): number {
  let count = 0;
  for (const _ of items) count++;
  return count;
}

/** Of the topics of a cursor with exceptions, those that are elsewhere than the others. */
class ExceptionLists {
  readonly #base: Progress;
  readonly #later: { readonly place: number; readonly name: string; readonly progress: Progress }[] = [];
  readonly #complete: string[] = [];
  #lacking = 0;

  constructor(base: Progress) {
    this.#base = base;
  }

  /** Whether a client that has had this of the topic lacks something of it. */
  lacks({ name, seq, state }: Topic, progress: Progress): boolean {
    const lacksAt = (at: Progress) => seq > at.seq || (at.lacksValues && state !== undefined);
    if (!lacksAt(progress)) {
      if (lacksAt(this.#base)) this.#complete.push(name);
      return false;
    }
    const { seq: baseSeq, lacksValues } = this.#base;
    if (progress.seq !== baseSeq || progress.lacksValues !== lacksValues)
      this.#later.push({ place: this.#lacking, name, progress });
    this.#lacking++;
    return true;
  }

  exceptions(lowest: Progress): LaterTopics['exceptions'] {
    return { later: this.#later, complete: this.#complete, lowest };
  }
}

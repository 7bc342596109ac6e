import type { View } from '../fanout/view.ts';
import type { Broker } from '../topics/broker.ts';
import { exceptionsMax, lowestOf, type Progress } from '../topics/cursor.ts';
import type { Numbering } from '../topics/engine.ts';
import type { State } from '../topics/state.ts';
import type { Topic } from '../topics/topic.ts';
import { patternMatches } from '../topics/topic-name.ts';
import type { Lag } from './lag.ts';
import type { StartedTopics } from './started-topics.ts';
import { TopicBacklog } from './topic-backlog.ts';

/** A topic whose content is gone, with publications that the subscriber has not had. */
export interface GoneTopic {
  readonly name: string;
  readonly numbering: Numbering;
}

export type BacklogItem = TopicBacklog | GoneTopic;

/**
 * Up to this number of topics it is remembered how far they were sent. A later pass repeats publications of the others,
 * which clients drop by their offsets.
 */
const sentTopicsMax = 1000;

/** Makes the backlog of a topic when its turn comes. */
export type BacklogOf = (topic: Topic) => TopicBacklog;

/** Topics whose backlogs are made in their turn, and how far the subscriber is until then. */
export interface LaterTopics {
  readonly started?: StartedTopics | undefined;
  /** Taken one by one: a list of all topics for each of many subscribers would be much memory. */
  readonly topics: Iterable<Topic>;
  readonly backlogOf: BacklogOf;
  /** In all topics but the exceptions. */
  readonly progress: Progress;
  /** The subscriber is further in some topics than `had` says. */
  readonly isRounded?: boolean;
  readonly exceptions?:
    | {
        /** Topics of `topics`, in their order; `place`: which of them it is. */
        readonly later: readonly {
          readonly place: number;
          readonly name: string;
          readonly progress: Progress;
        }[];
        /** The earliest position of any topic. */
        readonly lowest: Progress;
        /** Topics that lack nothing, though they would by `had`. */
        readonly complete: readonly string[];
      }
    | undefined;
}

/**
 * What one subscriber lacks of a pattern, topic by topic. A pattern may match a hundred thousand topics, so only
 * those that have something to send are looked at, and each only when its turn comes. After the last, the topics that
 * have changed meanwhile are looked at again, until nothing changes within one turn of the event loop.
 */
export class PatternBacklog {
  readonly #broker: Broker;
  readonly #view: View;
  readonly #started: StartedTopics | undefined;
  /** Of the started topics. */
  #begun = 0;
  /** Items still to be sent, in reverse order. */
  readonly #items: BacklogItem[];
  #topics: Iterator<Topic>;
  /** Topics taken so far: the places of `exceptions` count them. */
  #taken = 0;
  #backlogOf: BacklogOf;
  #progress: Progress;
  #exceptions: LaterTopics['exceptions'];
  #isRounded: boolean;
  #current: BacklogItem | undefined;
  #hasUnnamedLoss = false;
  /** Topics that were sent, by name: a later pass continues where they ended. */
  readonly #sent = new Map<string, TopicBacklog>();
  /** The newest commit when this pass began. */
  #seq: number;
  #changes: number;

  /** First come `later.started`, then `items`, then `later.topics`. Absent: the subscriber has everything else. */
  constructor(broker: Broker, view: View, items: readonly BacklogItem[], later?: LaterTopics) {
    this.#broker = broker;
    this.#view = view;
    this.#seq = broker.commits.seq;
    this.#changes = broker.commits.changes;
    this.#started = later?.started;
    this.#items = [...items].reverse();
    this.#topics = (later?.topics ?? [])[Symbol.iterator]();
    this.#backlogOf = later?.backlogOf ?? ((topic) => backlogAfter(view, topic, broker.commits.seq));
    this.#progress = later?.progress ?? { seq: broker.commits.seq, lacksValues: false };
    this.#exceptions = later?.exceptions;
    this.#isRounded = later?.isRounded === true;
  }

  /** If more topics are at other positions than a cursor can name, it is the earliest position of all. */
  get lag(): Lag {
    return this.#lagNaming(exceptionsMax);
  }

  /** The same, with however many topics it names. */
  get exactLag(): Lag {
    return this.#lagNaming(Number.POSITIVE_INFINITY);
  }

  #lagNaming(most: number): Lag {
    const topics = new Map<string, Progress>();
    // A topic that is sent again is further in its new backlog.
    for (const item of [...this.#sent.values(), ...this.#notBegun(), ...this.#items, this.#current])
      if (item instanceof TopicBacklog) this.#addLag(topics, item);
    const { complete = [], later = [] } = this.#exceptions ?? {};
    for (const name of complete) {
      if (topics.size > most) break;
      topics.set(name, { seq: this.#seq, lacksValues: false });
    }
    for (const { place, name, progress } of later) if (place >= this.#taken) topics.set(name, progress);
    const isRounded = this.#isRounded || undefined;
    if (topics.size <= most) return { ...this.#progress, topics, isRounded };
    return {
      ...lowestOf([this.#exceptions?.lowest ?? this.#progress, ...topics.values()]),
      isRounded: true,
    };
  }

  *#notBegun(): Iterable<TopicBacklog> {
    const { count = 0 } = this.#started ?? {};
    for (let i = this.#begun; i < count; i++) yield (this.#started as StartedTopics).backlogAt(i);
  }

  #addLag(topics: Map<string, Progress>, { feed, lag }: TopicBacklog): void {
    const { seq, lacksValues } = this.#progress;
    const { name, seq: newest } = feed.topic;
    const now = { seq: this.#broker.commits.seq, lacksValues: false };
    if (lag !== undefined || lacksValues || newest > seq) topics.set(name, lag ?? now);
  }

  /** It may lack publications of numberings that have been dropped, which can't be named one by one. */
  get hasUnnamedLoss(): boolean {
    return this.#hasUnnamedLoss;
  }

  /** What is to be sent next; undefined: nothing is lacking at this moment. */
  get current(): BacklogItem | undefined {
    this.#current ??= this.#next();
    return this.#current;
  }

  /** The current item was sent. */
  advance(): void {
    const item = this.#current;
    if (item instanceof TopicBacklog && this.#sent.size < sentTopicsMax)
      this.#sent.set(item.feed.topic.name, item);
    this.#current = undefined;
  }

  #next(): BacklogItem | undefined {
    const started = this.#started;
    if (started !== undefined && this.#begun < started.count) return started.backlogAt(this.#begun++);
    for (;;) {
      const item = this.#items.pop();
      if (item !== undefined) return item;
      const { done, value: topic } = this.#topics.next();
      this.#taken++;
      if (done !== true) return this.#backlogOf(topic);
      // The next session of its client goes on from the commit before this pass.
      if (this.#hasUnnamedLoss || this.#changes === this.#broker.commits.changes) return undefined;
      this.#lookAgain();
    }
  }

  #lookAgain(): void {
    const seq = this.#seq;
    const changes = this.#changes;
    const { target } = this.#view.options;
    this.#hasUnnamedLoss ||= this.#broker.commits.forgottenSeq > seq;
    this.#seq = this.#broker.commits.seq;
    this.#changes = this.#broker.commits.changes;
    const changed = [...this.#broker.commits.changedAfter(changes)];
    this.#topics = changed.filter(({ name }) => patternMatches(target, name)).values();
    this.#progress = { seq, lacksValues: false };
    this.#exceptions = undefined;
    this.#isRounded = false;
    this.#backlogOf = (topic) =>
      this.#afterSent(topic) ?? backlogAfter(this.#view, topic, seq, topic.resetAt > changes);
    for (const gone of goneAfter(this.#broker, this.#view, seq))
      if (!this.#wasSent(gone)) this.#items.push(gone);
  }

  #afterSent(topic: Topic): TopicBacklog | undefined {
    const former = this.#sent.get(topic.name);
    return former && new TopicBacklog(this.#view.feedFor(topic), former.epoch, former.position);
  }

  #wasSent({ name, numbering: { epoch, offset } }: GoneTopic): boolean {
    const former = this.#sent.get(name);
    return former !== undefined && former.epoch === epoch && former.position >= offset;
  }
}

/** The topics of a pattern whose content is gone, with publications after this commit. */
export function* goneAfter({ commits }: Broker, { options }: View, seq: number): Generator<GoneTopic> {
  for (const [name, numbering] of commits.numberings(seq))
    if (patternMatches(options.target, name)) yield { name, numbering };
}

/**
 * What a subscriber of a pattern lacks of a topic when it has had everything up to this commit. `restarted`: what it
 * has had was of another numbering.
 */
export function backlogAfter(view: View, topic: Topic, seq: number, restarted = false): TopicBacklog {
  const feed = view.feedFor(topic);
  const { ring, epoch, startOffset } = topic;
  if (restarted) return new TopicBacklog(feed, '', startOffset);
  const isLost = ring.evictedSeq > seq;
  // A subscriber that does not know the topic, which may have held nothing, learns its mode from the snapshot.
  if (topic.state !== undefined && (isLost || isNewer(topic.state, seq)))
    return TopicBacklog.ofAllValues(feed);
  return new TopicBacklog(feed, epoch, isLost ? startOffset : ring.offsetAtSeq(seq));
}

/** Whether no value is as old as this commit. */
function isNewer(state: State, seq: number): boolean {
  const [oldest] = state.values();
  return oldest === undefined || oldest.seq > seq;
}

import { Feed, type View } from '../fanout/view.ts';
import type { Broker } from '../topics/broker.ts';
import type { Numbering } from '../topics/engine.ts';
import type { Topic } from '../topics/topic.ts';
import { patternMatches } from '../topics/topic-name.ts';
import { snapshotBacklog, type TopicBacklog } from './topic-backlog.ts';

/** A topic whose content is gone, with publications that the subscriber has not had. */
export interface Gone {
  readonly name: string;
  readonly numbering: Numbering;
}

/** One topic that the subscriber lacks something of. */
export type BacklogItem = { readonly backlog: TopicBacklog } | { readonly gone: Gone };

/**
 * What one subscriber of a pattern lacks, topic by topic. A pattern may match a hundred thousand topics, so only those that
 * have something to send are looked at, and each only when its turn comes. When all are done, those that have changed
 * since are looked at again, until nothing changes within one turn of the event loop.
 */
export class PatternBacklog {
  readonly #broker: Broker;
  readonly #view: View;
  /** The next ones come last. */
  readonly #todo: (() => BacklogItem)[];
  #topics: readonly Topic[];
  #nextTopic = 0;
  #backlogOf: (topic: Topic) => TopicBacklog;
  #current: BacklogItem | undefined;
  /** When this pass began. */
  #seq: number;
  #changes: number;

  /** `topics` get their backlogs by `backlogOf` when their turn comes, after `items`. */
  constructor(
    broker: Broker,
    view: View,
    items: readonly BacklogItem[],
    topics: readonly Topic[] = [],
    backlogOf?: (topic: Topic) => TopicBacklog,
  ) {
    this.#broker = broker;
    this.#view = view;
    this.#seq = broker.seq;
    this.#changes = broker.changes;
    this.#todo = items.map((item) => () => item).reverse();
    this.#topics = topics;
    this.#backlogOf = backlogOf ?? ((topic) => backlogAfter(view, topic, broker.seq));
  }

  /** What is to be sent next; undefined: nothing is lacking at this moment. */
  get current(): BacklogItem | undefined {
    this.#current ??= this.#next();
    return this.#current;
  }

  /** The current one is done. */
  advance(): void {
    this.#current = undefined;
  }

  #next(): BacklogItem | undefined {
    for (;;) {
      const item = this.#todo.pop();
      if (item !== undefined) return item();
      const topic = this.#topics[this.#nextTopic++];
      if (topic !== undefined) return { backlog: this.#backlogOf(topic) };
      if (this.#changes === this.#broker.changes) return undefined;
      this.#lookAgain();
    }
  }

  #lookAgain(): void {
    const seq = this.#seq;
    const changes = this.#changes;
    const { target } = this.#view.options;
    this.#seq = this.#broker.seq;
    this.#changes = this.#broker.changes;
    this.#topics = [...this.#broker.changedAfter(changes)].filter(({ name }) => patternMatches(target, name));
    this.#nextTopic = 0;
    this.#backlogOf = (topic) => backlogAfter(this.#view, topic, seq, topic.resetAt > changes);
    for (const gone of goneAfter(this.#broker, this.#view, seq)) this.#todo.push(() => ({ gone }));
  }
}

/** The topics of a view's pattern whose content is gone, with publications after this commit. */
export function goneAfter(broker: Broker, { options }: View, seq: number): Gone[] {
  const gone: Gone[] = [];
  for (const [name, numbering] of broker.numberings(seq)) {
    if (patternMatches(options.target, name)) gone.push({ name, numbering });
  }
  return gone;
}

/**
 * What a subscriber lacks of a topic who has had everything up to this commit. `restarted`: what it has had was of another
 * numbering.
 */
export function backlogAfter(view: View, topic: Topic, seq: number, restarted = false): TopicBacklog {
  const feed = view.feeds.get(topic) ?? new Feed(view, topic);
  const { ring, epoch, startOffset } = topic;
  if (restarted) return { feed, epoch: '', position: startOffset, snapshot: undefined };
  const isLost = ring.evictedSeq > seq;
  // A subscriber that does not know the topic yet learns its mode from the snapshot.
  if (topic.state !== undefined && (isLost || topic.firstSeq > seq)) return snapshotBacklog(feed);
  return { feed, epoch, position: isLost ? startOffset : ring.offsetAtSeq(seq), snapshot: undefined };
}

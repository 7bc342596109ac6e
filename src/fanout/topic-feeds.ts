import type { Broker } from '../topics/broker.ts';
import type { StoredPublication } from '../topics/publication.ts';
import type { Topic } from '../topics/topic.ts';
import { SendCost } from './send-cost.ts';
import type { BatchOptions, Feed, FeedGroup } from './view.ts';

/**
 * The feeds of one topic, and the publications that they have still to send: kept here until all have sent or covered
 * them, whatever the ring evicts.
 */
export class TopicFeeds implements FeedGroup {
  readonly topic: Topic;
  readonly batch: BatchOptions;
  readonly cost = new SendCost();
  readonly #broker: Pick<Broker, 'release'>;
  readonly #feeds: Feed[] = [];
  /** Contiguous, after the offset `#logAfter`. */
  #log: StoredPublication[] = [];
  #logAfter: number;
  /** Patterns up to this number have a feed of the topic, where they match. */
  #knownPatterns = 0;
  /** Keeps the topic from being removed until all that was published is sent or covered. */
  #retainsTopic = false;

  constructor(topic: Topic, batch: BatchOptions, broker: Pick<Broker, 'release'>) {
    this.topic = topic;
    this.batch = batch;
    this.#broker = broker;
    this.#logAfter = topic.ring.newest;
  }

  get feeds(): readonly Feed[] {
    return this.#feeds;
  }

  add(feed: Feed): void {
    this.#feeds.push(feed);
    this.cost.add(feed.view);
  }

  remove(feed: Feed): void {
    this.#feeds.splice(this.#feeds.indexOf(feed), 1);
    this.cost.remove(feed.view);
    this.#knownPatterns = 0;
    this.trim();
  }

  get knownPatterns(): number {
    return this.#knownPatterns;
  }

  /** Each pattern up to this number has been matched with the topic. */
  knowsPatterns(upto: number): void {
    this.#knownPatterns = upto;
  }

  after(offset: number): readonly StoredPublication[] {
    const index = offset - this.#logAfter;
    return index === 0 ? this.#log : this.#log.slice(index);
  }

  seqAfter(offset: number): number | undefined {
    const [first] = this.#log;
    if (first === undefined) return undefined;
    if (offset < this.#logAfter) return first.seq - 1;
    return this.#log[offset - this.#logAfter]?.seq;
  }

  /** The log is as long as it may be: a feed that waits for its interval must not make it outgrow the ring. */
  get isFull(): boolean {
    return this.#log.length >= Math.max(64, this.topic.options.maxPublications / 2);
  }

  append(publications: readonly StoredPublication[]): void {
    if (this.#log.length > 0) {
      for (const publication of publications) this.#log.push(publication);
      return;
    }
    this.#log = publications.slice();
    this.#logAfter = (publications[0] as StoredPublication).offset - 1;
    this.#retainTopic();
  }

  /** Drops what every feed has looked at. */
  trim(): void {
    if (this.#log.length === 0) {
      this.#releaseTopic();
      return;
    }
    let lowest = this.topic.ring.newest;
    for (const { view, examined } of this.#feeds) {
      if (view.members > 0 && examined < lowest) lowest = examined;
    }
    const count = lowest - this.#logAfter;
    if (count >= this.#log.length) {
      this.clear();
    } else if (count > this.#log.length / 2) {
      this.#log.splice(0, count);
      this.#logAfter = lowest;
    }
  }

  /** Drops all publications. */
  clear(): void {
    if (this.#log.length === 0) return;
    this.#log = [];
    this.cost.sent();
    this.#releaseTopic();
  }

  /** The topic began anew: drops all publications. The topic stays until its members have been told. */
  restarted(): void {
    this.clear();
    for (const feed of this.#feeds) feed.restarted();
    if (this.#feeds.some(({ view }) => view.members > 0)) this.#retainTopic();
  }

  /** A topic with something to send stays, though its ring is empty and only patterns subscribe to it. */
  #retainTopic(): void {
    if (this.#retainsTopic) return;
    this.#retainsTopic = true;
    this.topic.retain();
  }

  /** The topic stays until the members of each view have been sent all coverage, also of what was not for the view. */
  #releaseTopic(): void {
    if (!this.#retainsTopic) return;
    const { newest } = this.topic.ring;
    const lacks = ({ position, epoch }: Feed) => position < newest || epoch !== this.topic.epoch;
    if (this.#feeds.some((feed) => feed.view.members > 0 && lacks(feed))) return;
    this.#retainsTopic = false;
    this.#broker.release(this.topic);
  }
}

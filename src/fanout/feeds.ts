import type { Broker } from '../topics/broker.ts';
import type { StoredPublication } from '../topics/publication.ts';
import type { Topic } from '../topics/topic.ts';
import { PatternViews } from './pattern-views.ts';
import { SendCost } from './send-cost.ts';
import { TopicFeeds } from './topic-feeds.ts';
import type { BatchOptions, Feed, View } from './view.ts';

export interface FeedsOptions {
  readonly broker: Pick<Broker, 'retain' | 'release'>;
  readonly batch: (topic: Topic) => BatchOptions;
}

/**
 * The feeds of all views, by topic. An exact view has one for as long as it is in use. Those of a pattern that has
 * members come with what their topics publish, and go when these are quiet.
 */
export class Feeds {
  readonly #options: FeedsOptions;
  readonly #patterns = new PatternViews();
  readonly #topics = new Map<Topic, TopicFeeds>();
  /** See `#costOfNewPatterns`: kept for further publications that come with the one it was asked for. */
  #newPatterns: { readonly name: string; readonly newest: number; readonly cost: SendCost } | undefined;

  constructor(options: FeedsOptions) {
    this.#options = options;
  }

  attach(view: View): void {
    if (view.isPattern) this.#patterns.add(view);
    else this.#add(view, this.#options.broker.retain(view.options.target));
  }

  detach(view: View): void {
    if (view.isPattern) this.#patterns.remove(view);
    this.#removeAll(view);
  }

  /** The view has its first member. */
  began(view: View): void {
    if (view.isPattern) this.#patterns.began(view);
    for (const feed of view.feeds) feed.beganWithMember();
  }

  /** The view has no member any more. */
  ended(view: View): void {
    for (const feed of view.feeds) {
      feed.skipToNewest();
      feed.group?.trim();
    }
    if (!view.isPattern) return;
    this.#patterns.ended(view);
    this.#removeAll(view);
  }

  /**
   * The feeds of a topic, with one for each matching pattern that has members: it begins before the publication
   * `first`; undefined: with the topic's reset. Undefined: no view hears of the topic.
   */
  of(topic: Topic, first: StoredPublication | undefined): TopicFeeds | undefined {
    const existing = this.#topics.get(topic);
    if (existing === undefined && this.#patterns.areSilent) return undefined;
    const topicFeeds = existing ?? this.#topicFeeds(topic);
    if (first === undefined || topicFeeds.knownPatterns < this.#patterns.newest)
      this.#addPatterns(topicFeeds, first);
    return topicFeeds;
  }

  /** Subscriptions that hear this topic, by name or by pattern. */
  subscribers(topic: Topic): number {
    let count = 0;
    for (const { view } of this.#topics.get(topic)?.feeds ?? [])
      if (!view.isPattern) count += view.subscriptions;
    for (const { subscriptions } of this.#patterns.matching(topic.name)) count += subscriptions;
    return count;
  }

  /** The views with members that get what this topic publishes. */
  *liveViews(topic: Topic): Iterable<View> {
    for (const { view } of this.#topics.get(topic)?.feeds ?? []) {
      if (!view.isPattern && view.members > 0) yield view;
    }
    yield* this.#patterns.heardBy(topic.name, 0);
  }

  /** See `Fanout.takeSendMs`. */
  takeSendMs(name: string, topic: Topic | undefined, bytes: number): number {
    const topicFeeds = topic && this.#topics.get(topic);
    const more = this.#costOfNewPatterns(name, topic, topicFeeds);
    return (topicFeeds?.cost.takeMs(bytes) ?? 0) + (more?.takeMs(bytes) ?? 0) * this.#patterns.feedPrice;
  }

  *all(): Iterable<Feed> {
    for (const { feeds } of this.#topics.values()) yield* feeds;
  }

  /** Drops the feeds of patterns whose topics are quiet. */
  sweep(nowMs: number): void {
    const keptMs = this.#patterns.quietFeedMs;
    for (const view of this.#patterns.withMembers) {
      const quietMs = Math.max(keptMs, view.options.intervalMs);
      for (const feed of view.feeds) {
        if (feed.isUpToDate && nowMs - feed.flushedAtMs > quietMs) this.#remove(feed);
      }
    }
  }

  /** The topic is gone. */
  removed(topic: Topic): void {
    for (const feed of this.#topics.get(topic)?.feeds ?? []) this.#forget(feed);
    this.#topics.delete(topic);
  }

  #add(view: View, topic: Topic): Feed {
    const feed = view.addFeed(topic);
    if (view.isPattern) this.#patterns.addedFeed();
    const group = this.#topicFeeds(topic);
    group.add(feed);
    feed.joined(group);
    return feed;
  }

  #topicFeeds(topic: Topic): TopicFeeds {
    let topicFeeds = this.#topics.get(topic);
    if (topicFeeds === undefined) {
      topicFeeds = new TopicFeeds(topic, this.#options.batch(topic), this.#options.broker);
      this.#topics.set(topic, topicFeeds);
    }
    return topicFeeds;
  }

  #addPatterns(topicFeeds: TopicFeeds, first: StoredPublication | undefined): void {
    const { topic, knownPatterns } = topicFeeds;
    this.#newPatterns = undefined;
    topicFeeds.knowsPatterns(this.#patterns.newest);
    for (const view of this.#patterns.heardBy(topic.name, first === undefined ? 0 : knownPatterns)) {
      if (view.feedOf(topic) !== undefined) continue;
      const feed = this.#add(view, topic);
      if (first === undefined) feed.beganAnew();
      else feed.beganBefore(first);
    }
  }

  /** Of patterns that match the topic and get a feed of it with its next publication. */
  #costOfNewPatterns(
    name: string,
    topic: Topic | undefined,
    topicFeeds: TopicFeeds | undefined,
  ): SendCost | undefined {
    const { newest, areSilent } = this.#patterns;
    const knownPatterns = topicFeeds?.knownPatterns ?? 0;
    if (areSilent || knownPatterns === newest) return undefined;
    if (this.#newPatterns?.name !== name || this.#newPatterns.newest !== newest) {
      this.#newPatterns = { name, newest, cost: new SendCost() };
      for (const view of this.#patterns.heardBy(name, knownPatterns))
        if (topic === undefined || view.feedOf(topic) === undefined) this.#newPatterns.cost.add(view);
    }
    return this.#newPatterns.cost;
  }

  #removeAll(view: View): void {
    for (const feed of view.feeds) this.#remove(feed);
  }

  #remove(feed: Feed): void {
    const { group, view, topic } = feed;
    this.#forget(feed);
    if (group === undefined) return;
    group.remove(feed);
    if (group.feeds.length === 0) this.#topics.delete(topic);
    if (!view.isPattern) this.#options.broker.release(topic);
  }

  #forget(feed: Feed): void {
    feed.view.removeFeed(feed);
    if (feed.view.isPattern) this.#patterns.removedFeed();
    feed.left();
  }
}

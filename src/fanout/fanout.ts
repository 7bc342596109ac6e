import { SluiceError } from '../errors.ts';
import type { ServerFrame } from '../protocol/frames.ts';
import type { Broker, TopicListener } from '../topics/broker.ts';
import { isPattern, patternMatches } from '../topics/names.ts';
import type { StoredPublication } from '../topics/publication.ts';
import type { Topic } from '../topics/topic.ts';
import type { Encoder } from './encoder.ts';
import { type FanoutMetrics, Flusher } from './flush.ts';
import { Schedule, type Turns } from './schedule.ts';
import type { Sink } from './sink.ts';
import { type BatchOptions, Feed, silentCoverageMs, type TopicFeeds, View } from './view.ts';
import { type ViewOptions, viewKey } from './view-options.ts';

export interface FanoutOptions {
  readonly broker: Broker;
  readonly sink: Sink;
  readonly encoder: Encoder;
  readonly turns: Turns;
  readonly metrics: FanoutMetrics;
  readonly batch: (topic: Topic) => BatchOptions;
  readonly viewsPerTopic: number;
  readonly viewsMax: number;
}

/**
 * Decides when which view is flushed. A publication on an idle feed goes out at the end of the turn; a busy feed
 * collects for the namespace's delay, or the view's interval, or until it is large enough.
 */
export class Fanout implements TopicListener {
  readonly #options: FanoutOptions;
  readonly #schedule: Schedule<Feed>;
  readonly #flusher: Flusher;
  readonly #views = new Map<string, View>();
  readonly #patterns = new Set<View>();
  readonly #topics = new Map<Topic, TopicFeeds>();
  readonly #notices: { readonly view: View; readonly frame: ServerFrame }[] = [];
  #nextViewId = 1;

  constructor(options: FanoutOptions) {
    this.#options = options;
    this.#flusher = new Flusher(options.sink, options.encoder, options.metrics);
    this.#schedule = new Schedule(options.turns, (next) => this.#turn(next));
  }

  get viewCount(): number {
    return this.#views.size;
  }

  /** All subscriptions, and the topics and patterns that have most of them. */
  subscriptions(limit: number): { total: number; busiest: Record<string, number> } {
    const counts = new Map<string, number>();
    let total = 0;
    for (const { options, holders } of this.#views.values()) {
      counts.set(options.target, (counts.get(options.target) ?? 0) + holders);
      total += holders;
    }
    const busiest = [...counts].sort(([, a], [, b]) => b - a).slice(0, limit);
    return { total, busiest: Object.fromEntries(busiest) };
  }

  /** Subscriptions that hear this topic, by name or by pattern. */
  subscribers(topic: Topic): number {
    let count = 0;
    for (const { view } of this.#topics.get(topic)?.feeds ?? []) count += view.holders;
    return count;
  }

  /** The view of these options, made if need be, kept until `detach`. Throws `too_many_views`. */
  attach(options: ViewOptions): View {
    const key = viewKey(options);
    let view = this.#views.get(key);
    if (view === undefined) {
      this.#checkRoom(options.target);
      view = new View(this.#nextViewId++, options);
      this.#views.set(key, view);
      this.#addFeeds(view);
    }
    view.holders++;
    return view;
  }

  detach(view: View): void {
    if (--view.holders > 0) return;
    this.#views.delete(view.key);
    this.#patterns.delete(view);
    for (const feed of view.feeds.values()) this.#removeFeed(feed);
    view.feeds.clear();
  }

  /** One more connection gets the view's frames from now on, behind the positions of its feeds. */
  addMember(view: View): void {
    if (view.members++ > 0) return;
    for (const feed of view.feeds.values()) this.#activate(feed);
  }

  removeMember(view: View): void {
    if (--view.members > 0) return;
    for (const feed of view.feeds.values()) {
      feed.skipToNewest();
      this.#trim(feed.topicFeeds);
    }
  }

  /** Sends a frame that covers nothing to the members, in order with the batches before it. */
  announce(view: View, frame: ServerFrame): void {
    if (view.members === 0) return;
    this.#notices.push({ view, frame });
    this.#schedule.wake();
  }

  // ---- TopicListener

  appended(topic: Topic, publications: readonly StoredPublication[]): void {
    const first = publications[0];
    if (first === undefined) return;
    const known = this.#topics.get(topic);
    if (known === undefined && this.#patterns.size === 0) return;
    const topicFeeds = known ?? this.#topicFeeds(topic);
    if (!topicFeeds.heardByPatterns) this.#addPatterns(topicFeeds, first.offset - 1);
    let bytes = 0;
    for (const publication of publications) bytes += publication.bytes;
    let active = false;
    let waits = false;
    for (const feed of topicFeeds.feeds) {
      if (feed.view.members === 0) {
        feed.skipToNewest();
      } else {
        active = true;
        if (feed.view.options.intervalMs > 0) waits = true;
        feed.pendingBytes += bytes;
        this.#scheduleFlush(feed, topicFeeds.batch);
      }
    }
    if (!active) return;
    if (waits) for (const publication of publications) publication.detach();
    if (topicFeeds.log.length === 0) this.#beginLog(topicFeeds, publications);
    else for (const publication of publications) topicFeeds.log.push(publication);
    // A feed that waits for its interval must not make the log grow past what the ring would hold.
    if (topicFeeds.log.length >= Math.max(64, topic.options.maxPublications / 2)) {
      for (const feed of topicFeeds.feeds) this.#schedule.ready(feed);
    }
  }

  reset(topic: Topic): void {
    const topicFeeds = this.#topics.get(topic);
    if (topicFeeds === undefined) return;
    this.#endLog(topicFeeds);
    for (const feed of topicFeeds.feeds) {
      feed.position = topic.ring.newest;
      feed.examined = feed.position;
      feed.pendingBytes = 0;
      feed.held?.clear();
      // `epoch` stays the old one: the flush sees the difference and tells the members.
      if (feed.view.members > 0) this.#schedule.ready(feed);
      else feed.skipToNewest();
    }
  }

  removed(topic: Topic): void {
    const topicFeeds = this.#topics.get(topic);
    for (const feed of topicFeeds?.feeds ?? []) {
      feed.view.feeds.delete(topic);
      feed.topicFeeds = undefined;
    }
    this.#topics.delete(topic);
  }

  // ---- private

  /** Works on as many ready feeds as one turn takes. Asks for one more turn after it, to see what was dropped. */
  #turn(next: () => Feed | undefined): boolean {
    const { sink, turns, metrics } = this.#options;
    sink.beginTurn();
    const startMs = turns.nowMs();
    this.#flusher.drained(startMs);
    let budget = sink.framesPerTurn;
    let notice = this.#notices.length > 0 ? this.#notices.shift() : undefined;
    for (; notice !== undefined; notice = budget > 0 ? this.#notices.shift() : undefined) {
      this.#flusher.announce(notice.view, notice.frame);
      budget--;
    }
    while (budget > 0) {
      const feed = next();
      if (feed === undefined) break;
      budget -= this.#flush(feed, budget, startMs);
    }
    if (budget === sink.framesPerTurn) return false;
    metrics.flushSeconds((turns.nowMs() - startMs) / 1000);
    return true;
  }

  #flush(feed: Feed, budget: number, nowMs: number): number {
    const { topicFeeds } = feed;
    if (topicFeeds === undefined) return 0;
    const { frames, done } = this.#flusher.flush(feed, topicFeeds, budget, nowMs);
    if (!done) this.#schedule.ready(feed);
    else if (feed.examined > feed.position) this.#schedule.wait(feed, silentCoverageMs);
    this.#trim(topicFeeds);
    return frames;
  }

  #scheduleFlush(feed: Feed, batch: BatchOptions): void {
    if (feed.due === 'ready') return;
    const { intervalMs } = feed.view.options;
    const delayMs = Math.max(intervalMs, batch.maxDelayMs);
    const idleForMs = this.#options.turns.nowMs() - feed.flushedAtMs;
    const full = intervalMs === 0 && feed.pendingBytes >= batch.maxBytes;
    if (idleForMs >= delayMs || full) this.#schedule.ready(feed);
    else if (intervalMs > 0) this.#schedule.wait(feed, Math.ceil(delayMs - idleForMs));
    else this.#schedule.wait(feed, delayMs);
  }

  #checkRoom(target: string): void {
    const { viewsMax, viewsPerTopic, broker } = this.#options;
    if (this.#views.size >= viewsMax) throw new SluiceError('too_many_views');
    const topic = isPattern(target) ? undefined : broker.find(target);
    const ofTarget = isPattern(target)
      ? [...this.#patterns].filter((view) => view.options.target === target).length
      : topic === undefined
        ? 0
        : (this.#topics.get(topic)?.feeds.filter((feed) => !feed.view.isPattern).length ?? 0);
    if (ofTarget >= viewsPerTopic) throw new SluiceError('too_many_views');
  }

  #addFeeds(view: View): void {
    const { broker } = this.#options;
    if (!view.isPattern) {
      this.#addFeed(view, broker.hold(view.options.target));
      return;
    }
    this.#patterns.add(view);
    for (const topic of broker.topics()) {
      if (patternMatches(view.options.target, topic.name)) this.#addFeed(view, topic);
    }
  }

  #addFeed(view: View, topic: Topic): Feed {
    const feed = new Feed(view, topic);
    view.feeds.set(topic, feed);
    feed.topicFeeds = this.#topicFeeds(topic);
    feed.topicFeeds.feeds.push(feed);
    return feed;
  }

  #topicFeeds(topic: Topic): TopicFeeds {
    let topicFeeds = this.#topics.get(topic);
    if (topicFeeds === undefined) {
      topicFeeds = {
        topic,
        batch: this.#options.batch(topic),
        feeds: [],
        log: [],
        logAfter: topic.ring.newest,
        heardByPatterns: false,
      };
      this.#topics.set(topic, topicFeeds);
    }
    return topicFeeds;
  }

  /** The first publication since somebody hears the topic: patterns that did not know it get a feed behind `after`. */
  #addPatterns(topicFeeds: TopicFeeds, after: number): void {
    topicFeeds.heardByPatterns = true;
    const { topic } = topicFeeds;
    for (const view of this.#patterns) {
      if (view.feeds.has(topic) || !patternMatches(view.options.target, topic.name)) continue;
      const feed = this.#addFeed(view, topic);
      feed.epoch = '';
      feed.position = after;
      feed.examined = after;
    }
  }

  #removeFeed(feed: Feed): void {
    const { topicFeeds } = feed;
    if (topicFeeds === undefined) return;
    feed.topicFeeds = undefined;
    topicFeeds.feeds.splice(topicFeeds.feeds.indexOf(feed), 1);
    this.#trim(topicFeeds);
    if (topicFeeds.feeds.length === 0) this.#topics.delete(feed.topic);
    if (!feed.view.isPattern) this.#options.broker.release(feed.topic);
  }

  /** The first member came: what it holds is the topic as it is now. */
  #activate(feed: Feed): void {
    feed.skipToNewest();
    if (feed.held === undefined) return;
    feed.held.clear();
    // Also what has expired: the member may have been sent it before.
    for (const publication of feed.topic.state?.values() ?? []) {
      if (feed.matches(publication)) feed.held.add(publication.key ?? '');
    }
  }

  /** Lets go of what every feed has looked at. */
  #trim(topicFeeds: TopicFeeds | undefined): void {
    if (topicFeeds === undefined || topicFeeds.log.length === 0) return;
    let lowest = topicFeeds.topic.ring.newest;
    for (const feed of topicFeeds.feeds) {
      if (feed.view.members > 0 && feed.examined < lowest) lowest = feed.examined;
    }
    const done = lowest - topicFeeds.logAfter;
    if (done >= topicFeeds.log.length) {
      this.#endLog(topicFeeds);
    } else if (done > topicFeeds.log.length / 2) {
      topicFeeds.log.splice(0, done);
      topicFeeds.logAfter = lowest;
    }
  }

  /** A topic that has something to send stays, though its ring be empty and only patterns hear it. */
  #beginLog(topicFeeds: TopicFeeds, publications: readonly StoredPublication[]): void {
    topicFeeds.log = publications.slice();
    topicFeeds.logAfter = (publications[0] as StoredPublication).offset - 1;
    this.#options.broker.holdTopic(topicFeeds.topic);
  }

  #endLog(topicFeeds: TopicFeeds): void {
    if (topicFeeds.log.length === 0) return;
    topicFeeds.log = [];
    this.#options.broker.release(topicFeeds.topic);
  }
}

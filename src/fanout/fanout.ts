import type { Metrics } from '../metrics.ts';
import type { ServerFrame } from '../protocol/frames.ts';
import type { Broker, TopicListener } from '../topics/broker.ts';
import { formatCursor } from '../topics/cursor.ts';
import type { Payer } from '../topics/payer.ts';
import type { StoredPublication } from '../topics/publication.ts';
import type { Topic } from '../topics/topic.ts';
import { patternMatches } from '../topics/topic-name.ts';
import type { Encoder } from './encoder.ts';
import { Flusher, type FlusherOptions } from './flush.ts';
import { Outlets } from './outlets.ts';
import { Schedule, type Turns } from './schedule.ts';
import type { Member } from './sink.ts';
import { type BatchOptions, Feed, silentCoverageMs, type TopicFeeds, View } from './view.ts';
import { type ViewOptions, viewKey } from './view-options.ts';
import { takesPlace, type ViewLimits, ViewQuota } from './view-quota.ts';

export interface FanoutOptions extends ViewLimits {
  readonly broker: Broker;
  readonly encoder: Encoder;
  readonly turns: Turns;
  readonly metrics: FlusherOptions['metrics'] & Pick<Metrics, 'flushSeconds' | 'views' | 'onScrape'>;
  readonly batch: (topic: Topic) => BatchOptions;
}

/** Stands for the epoch before a reset, of which a new feed knows only that it was another one. */
const formerEpoch = '?';

/** A pattern's feed of a topic that has not published for this long is dropped. */
const quietFeedMs = 10_000;

/**
 * Decides when which view is flushed. A publication on an idle feed goes out at the end of the turn; a busy feed
 * collects for the namespace's delay, or the view's interval, or until it is large enough.
 */
export class Fanout implements TopicListener {
  readonly #options: FanoutOptions;
  readonly #schedule: Schedule<Feed>;
  readonly #outlets = new Outlets();
  readonly #flusher: Flusher;
  readonly #views = new Map<string, View>();
  readonly #quota: ViewQuota;
  /** Those that have members, in the order of `patternNumber`. */
  readonly #patterns: View[] = [];
  #patternNumber = 0;
  readonly #topics = new Map<Topic, TopicFeeds>();
  readonly #notices: { readonly view: View; readonly frame: ServerFrame }[] = [];
  #nextViewId = 1;

  constructor(options: FanoutOptions) {
    this.#options = options;
    this.#quota = new ViewQuota(options);
    this.#flusher = new Flusher({
      ...options,
      outlets: this.#outlets,
      cursorOf: (view) => this.cursorOf(view),
    });
    this.#schedule = new Schedule(options.turns, (next) => this.#turn(next));
    options.metrics.onScrape(() => options.metrics.views.set(this.viewCount));
  }

  get viewCount(): number {
    return this.#views.size;
  }

  /** All subscriptions, and the topics and patterns that have most of them. */
  subscriptions(limit: number): { total: number; busiest: Record<string, number> } {
    const counts = new Map<string, number>();
    let total = 0;
    for (const { options, subscriptions } of this.#views.values()) {
      counts.set(options.target, (counts.get(options.target) ?? 0) + subscriptions);
      total += subscriptions;
    }
    const busiest = [...counts].sort(([, a], [, b]) => b - a).slice(0, limit);
    return { total, busiest: Object.fromEntries(busiest) };
  }

  /** Subscriptions that hear this topic, by name or by pattern. */
  subscribers(topic: Topic): number {
    let count = 0;
    for (const { options, isPattern, subscriptions } of this.#views.values()) {
      const { target } = options;
      if (isPattern ? patternMatches(target, topic.name) : target === topic.name) count += subscriptions;
    }
    return count;
  }

  /** Where a live member of a pattern's view is. */
  cursorOf(view: View): string {
    const { epoch } = this.#options.broker.commits;
    return formatCursor({ epoch, seq: view.sentSeq(this.#options.broker.seq), lacksValues: false });
  }

  /**
   * The view of these options, made if need be, kept until `detach` with the same payer; absent: the gateway itself. Throws
   * `too_many_views`.
   */
  attach(options: ViewOptions, payer?: Payer): View {
    const key = viewKey(options);
    let view = this.#views.get(key);
    if (view === undefined) {
      if (takesPlace(options)) this.#quota.make(key, options, payer);
      view = new View(this.#nextViewId++, options);
      this.#views.set(key, view);
      if (!view.isPattern) this.#addFeed(view, this.#options.broker.retain(options.target));
    }
    view.subscriptions++;
    this.#quota.retain(key, payer);
    return view;
  }

  detach(view: View, payer?: Payer): void {
    this.#quota.release(view.key, payer);
    if (--view.subscriptions > 0) return;
    this.#quota.end(view.key);
    this.#views.delete(view.key);
    this.#removeFeeds(view);
  }

  /** The member gets the view's frames from now on, after the positions of its feeds. */
  addMember(view: View, member: Member): void {
    const isFirst = view.members === 0;
    this.#outlets.addMember(view, member.sink);
    member.join(view);
    if (!isFirst) return;
    if (view.isPattern) {
      view.patternNumber = ++this.#patternNumber;
      this.#patterns.push(view);
    }
    for (const feed of view.feeds.values()) this.#activate(feed);
  }

  removeMember(view: View, member: Member): void {
    member.leave(view);
    this.#outlets.removeMember(view, member.sink);
    if (view.members > 0) return;
    for (const feed of view.feeds.values()) {
      feed.skipToNewest();
      this.#trim(feed.topicFeeds);
    }
    if (!view.isPattern) return;
    view.patternNumber = 0;
    this.#patterns.splice(this.#patterns.indexOf(view), 1);
    this.#removeFeeds(view);
  }

  /** Drops the feeds of patterns whose topics are quiet; each is made anew when its topic publishes. Call it now and then. */
  sweep(): void {
    const nowMs = this.#options.turns.nowMs();
    for (const view of this.#patterns) {
      const quietMs = Math.max(quietFeedMs, view.options.intervalMs);
      for (const feed of view.feeds.values()) {
        if (feed.isLevel && nowMs - feed.flushedAtMs > quietMs) this.#forgetFeed(feed);
      }
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
    if (known === undefined && this.#patterns.length === 0) return;
    const topicFeeds = known ?? this.#topicFeeds(topic);
    if (topicFeeds.heardByPatterns < this.#patternNumber) this.#addPatterns(topicFeeds, first);
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
        if (feed.view.isPattern && !feed.view.waiting.has(feed)) feed.view.waiting.set(feed, first.seq);
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
    const known = this.#topics.get(topic);
    if (known === undefined && this.#patterns.length === 0) return;
    const topicFeeds = known ?? this.#topicFeeds(topic);
    this.#addPatterns(topicFeeds, undefined);
    this.#endLog(topicFeeds);
    for (const feed of topicFeeds.feeds) {
      feed.position = topic.ring.newest;
      feed.examined = feed.position;
      feed.pendingBytes = 0;
      // Who falls behind before the flush has not been told.
      if (feed.view.isPattern) feed.view.waiting.set(feed, topic.seq);
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
      feed.view.waiting.delete(feed);
      feed.topicFeeds = undefined;
    }
    this.#topics.delete(topic);
  }

  // ---- private

  /** Works on as many ready feeds as the sinks take in one turn. Asks for one more turn after it, to see what was dropped. */
  #turn(next: () => Feed | undefined): boolean {
    const { turns, metrics } = this.#options;
    const outlets = this.#outlets;
    outlets.beginTurn();
    const startMs = turns.nowMs();
    this.#flusher.drained(startMs);
    if (this.#notices.length > 0) this.#sendNotices();
    let later: Feed[] | undefined;
    while (!outlets.isExhausted) {
      const feed = next();
      if (feed === undefined) break;
      if (this.#flush(feed, startMs)) continue;
      later ??= [];
      later.push(feed);
    }
    if (later !== undefined) for (const feed of later) this.#schedule.ready(feed);
    if (!outlets.hasSent) return false;
    metrics.flushSeconds.observe((turns.nowMs() - startMs) / 1000);
    return true;
  }

  #sendNotices(): void {
    const notices = this.#notices.splice(0);
    for (const notice of notices) {
      const isBlocked = this.#outlets.isExhausted || this.#outlets.budgetOf(notice.view) === 0;
      if (isBlocked) this.#notices.push(notice);
      else this.#flusher.announce(notice.view, notice.frame);
    }
  }

  /** False: the sinks of its view take no more in this turn, and it has more to send. */
  #flush(feed: Feed, nowMs: number): boolean {
    const { topicFeeds, view } = feed;
    if (topicFeeds === undefined) return true;
    const budget = this.#outlets.budgetOf(view);
    if (budget === 0) return false;
    const isDone = this.#flusher.flush(feed, topicFeeds, budget, nowMs);
    if (isDone && feed.position === feed.topic.ring.newest) view.waiting.delete(feed);
    if (!isDone) this.#outlets.exhaust(view);
    else if (feed.examined > feed.position) this.#schedule.wait(feed, silentCoverageMs);
    this.#trim(topicFeeds);
    return isDone;
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
        heardByPatterns: 0,
        retainsTopic: false,
      };
      this.#topics.set(topic, topicFeeds);
    }
    return topicFeeds;
  }

  /**
   * Gives each pattern that matches and has no feed of the topic one: before its publication `first`, or, where there is none,
   * for the news that its numbering is another.
   */
  #addPatterns(topicFeeds: TopicFeeds, first: StoredPublication | undefined): void {
    const { topic, heardByPatterns } = topicFeeds;
    topicFeeds.heardByPatterns = this.#patternNumber;
    for (let i = this.#patterns.length - 1; i >= 0; i--) {
      const view = this.#patterns[i] as View;
      if (first !== undefined && view.patternNumber <= heardByPatterns) return;
      if (view.feeds.has(topic) || !patternMatches(view.options.target, topic.name)) continue;
      const feed = this.#addFeed(view, topic);
      // The members know of a topic, unless it has held nothing since they joined.
      if (first === undefined) feed.epoch = formerEpoch;
      else if (topic.firstSeq === first.seq) feed.epoch = '';
      feed.position = (first?.offset ?? topic.ring.newest + 1) - 1;
      feed.examined = feed.position;
    }
  }

  /** So that its topic's next publication makes it anew. */
  #forgetFeed(feed: Feed): void {
    feed.view.feeds.delete(feed.topic);
    this.#removeFeed(feed);
  }

  #removeFeeds(view: View): void {
    for (const feed of view.feeds.values()) this.#removeFeed(feed);
    view.feeds.clear();
    view.waiting.clear();
  }

  #removeFeed(feed: Feed): void {
    const { topicFeeds } = feed;
    if (topicFeeds === undefined) return;
    feed.topicFeeds = undefined;
    topicFeeds.feeds.splice(topicFeeds.feeds.indexOf(feed), 1);
    topicFeeds.heardByPatterns = 0;
    this.#trim(topicFeeds);
    if (topicFeeds.feeds.length === 0) this.#topics.delete(feed.topic);
    if (!feed.view.isPattern) this.#options.broker.release(feed.topic);
  }

  /** The first member came: what it holds is the topic as it is now. */
  #activate(feed: Feed): void {
    feed.skipToNewest();
    if (feed.held === undefined || feed.view.isPattern) return;
    feed.held.clear();
    // Also what has expired: the member may have been sent it before.
    for (const publication of feed.topic.state?.values() ?? []) {
      if (feed.matches(publication)) feed.held.add(publication.key ?? '');
    }
  }

  /** Lets go of what every feed has looked at. */
  #trim(topicFeeds: TopicFeeds | undefined): void {
    if (topicFeeds === undefined) return;
    if (topicFeeds.log.length === 0) {
      this.#releaseCovered(topicFeeds);
      return;
    }
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
    if (topicFeeds.retainsTopic) return;
    topicFeeds.retainsTopic = true;
    this.#options.broker.retainTopic(topicFeeds.topic);
  }

  #endLog(topicFeeds: TopicFeeds): void {
    if (topicFeeds.log.length === 0) return;
    topicFeeds.log = [];
    this.#releaseCovered(topicFeeds);
  }

  /** Where nothing was for a view, its members must still be told that it is covered. */
  #releaseCovered(topicFeeds: TopicFeeds): void {
    const { topic, feeds, retainsTopic } = topicFeeds;
    if (!retainsTopic) return;
    const { newest } = topic.ring;
    if (feeds.some(({ view, position }) => view.members > 0 && position < newest)) return;
    topicFeeds.retainsTopic = false;
    this.#options.broker.release(topic);
  }
}

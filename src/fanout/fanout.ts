import type { Awaitable } from '../awaitable.ts';
import type { Metrics } from '../metrics.ts';
import type { ServerFrame } from '../protocol/server-frames.ts';
import type { Broker, TopicListener } from '../topics/broker.ts';
import { formatCursor } from '../topics/cursor.ts';
import type { Payer } from '../topics/payer.ts';
import type { StoredPublication } from '../topics/publication.ts';
import type { Topic } from '../topics/topic.ts';
import type { Encoder } from './encoder.ts';
import { Feeds } from './feeds.ts';
import { Flusher, type FlusherOptions, silentCoverageMs } from './flush.ts';
import { Outlets } from './outlets.ts';
import { Refresher, type RefresherOptions, type RefreshOptions } from './refresher.ts';
import { Schedule } from './schedule.ts';
import type { Member } from './sink.ts';
import type { Turns } from './turns.ts';
import { type BatchOptions, type Feed, View } from './view.ts';
import { type ViewOptions, viewKey } from './view-options.ts';
import { type ViewLimits, ViewShares, type ViewSubscription } from './view-shares.ts';

export interface FanoutOptions extends ViewLimits {
  readonly broker: Broker;
  readonly encoder: Encoder;
  readonly turns: Turns;
  readonly metrics: FlusherOptions['metrics'] &
    RefresherOptions['metrics'] &
    Pick<Metrics, 'flushSeconds' | 'views' | 'onScrape'>;
  readonly batch: (topic: Topic) => BatchOptions;
  readonly refresh: RefreshOptions;
}

/** Under load there is always something to send. */
const hurriedTurnsMax = 100;

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
  readonly #shares: ViewShares;
  readonly #feeds: Feeds;
  readonly #notices: { readonly view: View; readonly frame: ServerFrame }[] = [];
  readonly #awaitDrops: (() => void)[] = [];
  readonly #refresher: Refresher;
  #nextViewId = 1;
  #hurries = false;

  constructor(options: FanoutOptions) {
    this.#options = options;
    this.#shares = new ViewShares(options);
    this.#feeds = new Feeds(options);
    this.#flusher = new Flusher({
      ...options,
      outlets: this.#outlets,
      cursorOf: (view) => this.cursorOf(view),
    });
    this.#schedule = new Schedule(options.turns, (next) => this.#turn(next));
    this.#refresher = new Refresher({
      ...options,
      ...options.refresh,
      outlets: this.#outlets,
      viewsOf: (topic) => this.#feeds.liveViews(topic),
      flush: (feed) => this.#flush(feed, options.turns.nowMs()),
      wake: () => this.#schedule.wake(),
    });
    options.metrics.onScrape(() => options.metrics.views.set(this.viewCount));
  }

  get viewCount(): number {
    return this.#views.size;
  }

  /** All subscriptions, and the topics and patterns that have most of them. */
  subscriptions(limit: number): { total: number; topics: number; busiest: Record<string, number> } {
    const counts = new Map<string, number>();
    let total = 0;
    for (const { options, subscriptions } of this.#views.values()) {
      counts.set(options.target, (counts.get(options.target) ?? 0) + subscriptions);
      total += subscriptions;
    }
    const busiest = [...counts].sort(([, a], [, b]) => b - a).slice(0, limit);
    const topics = [...counts.values()].filter((each) => each > 0).length;
    return { total, topics, busiest: Object.fromEntries(busiest) };
  }

  /** Subscriptions that hear this topic, by name or by pattern. */
  subscribers(topic: Topic): number {
    return this.#feeds.subscribers(topic);
  }

  /**
   * Estimates how long it will take to send one more publication of this topic, which counts as published from now on.
   * `topic`: undefined if it does not exist yet.
   */
  takeSendMs(name: string, topic: Topic | undefined, bytes: number): number {
    return this.#feeds.takeSendMs(name, topic, bytes);
  }

  /** The cursor of a live member of a pattern's view. */
  cursorOf(view: View): string {
    const { epoch, seq } = this.#options.broker.commits;
    return formatCursor({ epoch, seq: view.unsent?.sentSeq(seq) ?? seq, lacksValues: false });
  }

  /**
   * Returns the view of these options. It is made if need be, and kept until `detach` with the same payer; absent: the
   * gateway itself. Throws `too_many_views`. The places of `replaced`, which the caller detaches then, count as free.
   */
  attach(options: ViewOptions, payer?: Payer, replaced: readonly ViewSubscription[] = []): View {
    const key = viewKey(options);
    let view = this.#views.get(key);
    if (view === undefined) {
      this.#shares.make(key, options, payer, replaced);
      view = new View(this.#nextViewId++, options, key);
      this.#views.set(key, view);
      this.#feeds.attach(view);
    }
    view.subscribed();
    this.#shares.retain(key, payer);
    return view;
  }

  detach(view: View, payer?: Payer): void {
    this.#shares.release(view.key, payer);
    view.unsubscribed();
    if (view.subscriptions > 0) return;
    this.#shares.end(view.key);
    this.#views.delete(view.key);
    this.#feeds.detach(view);
  }

  /** The member gets the view's frames from now on, after the positions of its feeds. */
  addMember(view: View, member: Member): void {
    const isFirst = view.members === 0;
    this.#outlets.addMember(view, member.sink);
    member.join(view);
    this.#refresher.joined(view);
    if (isFirst) this.#feeds.began(view);
  }

  removeMember(view: View, member: Member): void {
    member.leave(view);
    this.#outlets.removeMember(view, member.sink);
    this.#refresher.left(view);
    if (view.members === 0) this.#feeds.ended(view);
  }

  /**
   * Drops the feeds of patterns whose topics are quiet; each is made anew when its topic publishes. Call it now and
   * then.
   */
  sweep(): void {
    this.#feeds.sweep(this.#options.turns.nowMs());
  }

  /**
   * Resolves with what `run` returns. Calls it when the sinks have told what was dropped of the latest turn's frames,
   * and before any other frame is sent: at once if that turn sent nothing.
   */
  afterDrops<T>(run: () => T): Awaitable<T> {
    if (!this.#outlets.hasSent) return run();
    return new Promise((resolve, reject) => {
      this.#awaitDrops.push(() => {
        try {
          resolve(run());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** The sinks report drops now, rather than at the next turn. Call it between two turns. */
  tellDrops(): void {
    this.#outlets.tellDrops();
  }

  /** Sends a frame that covers nothing to the members, in order with the batches before it. */
  announce(view: View, frame: ServerFrame): void {
    if (view.members === 0) return;
    this.#notices.push({ view, frame });
    this.#schedule.wake();
  }

  /**
   * From now on no publication waits for a batch or an interval. Resolves once those that waited are written: a client
   * that can't resume is to be sent what was acknowledged before it is sent away.
   */
  async hurry(): Promise<void> {
    const { turns } = this.#options;
    this.#hurries = true;
    const waiting = [...this.#feeds.all()].filter(({ due }) => due === 'waiting');
    for (const feed of waiting) this.#schedule.ready(feed);
    const turn = () => new Promise<void>((resolve) => turns.atTurnEnd(resolve));
    for (let left = hurriedTurnsMax; left > 0 && waiting.some(({ due }) => due === 'ready'); left--)
      await turn();
    await turn();
  }

  // ---- TopicListener

  appended(topic: Topic, publications: readonly StoredPublication[]): void {
    const first = publications[0];
    if (first === undefined) return;
    const topicFeeds = this.#feeds.of(topic, first);
    if (topicFeeds === undefined) return;
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
        feed.queued(publications.length, bytes, first.seq);
        this.#scheduleFlush(feed, topicFeeds.batch);
      }
    }
    if (!active) return;
    if (waits) for (const publication of publications) publication.detach();
    topicFeeds.append(publications);
    if (topicFeeds.isFull) for (const feed of topicFeeds.feeds) this.#schedule.ready(feed);
  }

  reset(topic: Topic): void {
    this.#refresher.dropped(topic);
    const topicFeeds = this.#feeds.of(topic, undefined);
    if (topicFeeds === undefined) return;
    topicFeeds.restarted();
    for (const feed of topicFeeds.feeds) {
      if (feed.view.members > 0) this.#schedule.ready(feed);
      else feed.skipToNewest();
    }
  }

  removed(topic: Topic): void {
    this.#refresher.dropped(topic);
    this.#feeds.removed(topic);
  }

  // ---- private

  /**
   * Works on as many ready feeds as the sinks take in one turn. Asks for one more turn after it, to see what was
   * dropped.
   */
  #turn(next: () => Feed | undefined): boolean {
    const { turns, metrics } = this.#options;
    const outlets = this.#outlets;
    outlets.beginTurn();
    if (this.#awaitDrops.length > 0) for (const run of this.#awaitDrops.splice(0)) run();
    const startMs = turns.nowMs();
    this.#flusher.drained(startMs);
    this.#refresher.turn();
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
    if (!outlets.hasSent) return this.#refresher.isBusy;
    metrics.flushSeconds.observe((turns.nowMs() - startMs) / 1000);
    return true;
  }

  #sendNotices(): void {
    const notices = this.#notices.splice(0);
    for (const notice of notices) {
      if (this.#outlets.isExhausted || this.#outlets.budgetOf(notice.view) === 0) this.#notices.push(notice);
      else this.#flusher.announce(notice.view, notice.frame);
    }
  }

  /** False: the sinks of its view take no more in this turn, and it has more to send. */
  #flush(feed: Feed, nowMs: number): boolean {
    const { group, view } = feed;
    if (group === undefined) return true;
    if (this.#refresher.holds(view, feed.topic)) return false;
    const budget = this.#outlets.budgetOf(view);
    if (budget === 0) return false;
    const isDone = this.#flusher.flush(feed, group, budget, nowMs);
    if (!isDone) this.#outlets.exhaust(view);
    else if (feed.examined > feed.position) this.#schedule.wait(feed, silentCoverageMs);
    group.trim();
    return isDone;
  }

  #scheduleFlush(feed: Feed, batch: BatchOptions): void {
    if (feed.due === 'ready') return;
    const { intervalMs } = feed.view.options;
    const delayMs = Math.max(intervalMs, batch.maxDelayMs);
    const idleForMs = this.#options.turns.nowMs() - feed.flushedAtMs;
    const isDue = idleForMs >= delayMs || (intervalMs === 0 && feed.isFull(batch));
    if (isDue || this.#hurries) this.#schedule.ready(feed);
    else if (intervalMs > 0) this.#schedule.wait(feed, Math.ceil(delayMs - idleForMs));
    else this.#schedule.wait(feed, delayMs);
  }
}

import { setTimeout } from 'node:timers/promises';
import { type Awaitable, whenDone } from '../awaitable.ts';
import { steadyNowMs } from '../clock.ts';
import type { Metrics } from '../metrics.ts';
import type { Position, PublishFields } from '../protocol/frames.ts';
import { namespaceOf } from '../protocol/namespace.ts';
import { AppendRetry, type AppendRetryOptions } from './append-retry.ts';
import { ChangeOrder } from './change-order.ts';
import { Commits } from './commits.ts';
import { ContentBudget, type ContentLimits } from './content-budget.ts';
import type { Published } from './content-shares.ts';
import type { AcknowledgedPositions, AppendOutcome, Engine, EngineFeed, StoredTopic } from './engine.ts';
import { EngineProbe } from './engine-probe.ts';
import { emptyHistory, type HistoryPage, readHistoryPage } from './history.ts';
import { type ExpiredValue, KeyExpiry, type KeyExpiryOptions } from './key-expiry.ts';
import type { Payer } from './payer.ts';
import type { StoredPublication } from './publication.ts';
import { PublishPath, type PublishPathOptions, type PublishRuns } from './publish-path.ts';
import { countedBy, type ReportEvicted } from './ring.ts';
import { SegmentPool } from './segment-pool.ts';
import { Topic, type TopicOptions } from './topic.ts';
import { TopicLoads } from './topic-loads.ts';
import { matching } from './topic-name.ts';
import { type Makers, TopicPlaces } from './topic-places.ts';
import type { Maker } from './topic-shares.ts';

/** Told of every change, in order, before the publish returns. */
export interface TopicListener {
  appended(topic: Topic, publications: readonly StoredPublication[]): void;
  /** The topic began a new numbering. */
  reset(topic: Topic): void;
  /**
   * The topic's content is about to be replaced, in part by publications that `appended` never reported: its
   * subscribers must be sent what they lack. The returned function is called after `reset`.
   */
  refilling?(topic: Topic): () => void;
  /**
   * Commits are lost that were not heard of. Subscribers of patterns, and of topics without a numbering, may have
   * missed some, and have to be told before they are sent anything else.
   */
  missed?(): void;
  /** The topic has neither content nor a holder any more. */
  removed(topic: Topic): void;
  /** The engine can't work for the moment, or can again: `degradedBy` says which. */
  degradedChanged?(): void;
}

export interface BrokerOptions extends Pick<PublishPathOptions, 'chargeSending'>, ContentLimits {
  readonly engine: Engine;
  readonly namespace: (name: string) => TopicOptions;
  readonly metrics: AppendRetryOptions['metrics'] &
    PublishPathOptions['metrics'] &
    KeyExpiryOptions['metrics'] &
    Pick<Metrics, 'publicationsTotal' | 'ringEvictionsTotal' | 'engineUp'> &
    Pick<Metrics, 'topics' | 'ringPublications' | 'ringBytes' | 'messageIdBytes' | 'onScrape'> &
    Pick<Metrics, 'acknowledgedPositions'>;
  readonly payloadMaxBytes: number;
  readonly topicsMax: number;
  readonly topicsMaxPerClient: number;
  readonly topicsMaxBytesPerClient: number;
  readonly makers?: Makers | undefined;
  /** Milliseconds since 1970 on a clock that does not jump: for ages and TTLs. */
  readonly nowMs?: () => number;
  /** Milliseconds since 1970 by the wall clock: for people. Absent: as `nowMs`, if that is given. */
  readonly wallMs?: () => number;
  /** Milliseconds on a monotonic clock. */
  readonly monotonicMs?: () => number;
  /** Between two tries of an append. */
  readonly wait?: (delayMs: number) => Promise<void>;
}

/**
 * The topics of this node. Passes publishes to the engine, puts what the engine feeds back into rings, and passes it on
 * to the listener. All that a ring holds is committed.
 */
export class Broker implements EngineFeed {
  readonly #engine: Engine;
  readonly #options: BrokerOptions;
  readonly #nowMs: () => number;
  readonly #wallMs: () => number;
  readonly #monotonicMs: () => number;
  readonly #appendRetry: AppendRetry;
  readonly #topics = new Map<string, Topic>();
  readonly #states = new Set<Topic>();
  readonly #content: ContentBudget;
  readonly #places: TopicPlaces;
  readonly #segments = new SegmentPool();
  readonly #loads: TopicLoads;
  readonly #keyExpiry: KeyExpiry;
  readonly #evicted: ReportEvicted;
  #listener: TopicListener | undefined;
  readonly #order = new ChangeOrder<Topic>();
  readonly commits: Commits;
  #degraded: Error | undefined;
  readonly #publishPath: PublishPath;
  readonly #engineProbe: EngineProbe;

  constructor(options: BrokerOptions) {
    this.#options = options;
    this.#engine = options.engine;
    this.commits = new Commits(options.engine, this.#topics, this.#order);
    const { engine, metrics, wait = setTimeout } = options;
    this.#nowMs = options.nowMs ?? engine.nowMs?.bind(engine) ?? steadyNowMs;
    this.#wallMs = options.wallMs ?? options.nowMs ?? (() => Date.now());
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#places = new TopicPlaces(options, this.#topics);
    const clocks = { nowMs: this.#nowMs, wallMs: this.#wallMs, monotonicMs: this.#monotonicMs };
    this.#appendRetry = new AppendRetry({ engine, metrics, wait, monotonicMs: this.#monotonicMs });
    this.#content = new ContentBudget(
      options,
      (topic) => this.#places.contentChanged(topic),
      ({ name, ring }) => engine.evict?.(name, ring.reach),
    );
    this.#loads = new TopicLoads((name) => this.#load(name), this.#monotonicMs);
    this.#keyExpiry = new KeyExpiry({ ...clocks, metrics, appendRetry: this.#appendRetry });
    const parts = { topics: this, places: this.#places, content: this.#content };
    this.#publishPath = new PublishPath({ ...options, ...clocks, ...parts, appendRetry: this.#appendRetry });
    this.#engineProbe = new EngineProbe(this, this.#monotonicMs);
    this.#evicted = countedBy(metrics);
    metrics.onScrape(() => this.#setGauges());
  }

  /**
   * Rejects with the engine's error, or with the reason of `signal` once it is aborted; then call `close`. `feedOf` may
   * wrap the broker as the engine's feed.
   */
  async open(
    listener: TopicListener,
    signal?: AbortSignal,
    feedOf: (broker: EngineFeed) => EngineFeed = (broker) => broker,
  ): Promise<void> {
    this.#listener = listener;
    await this.#engine.open(feedOf(this), signal);
    // Patterns, lists, limits and the sweep are about all topics, not only about those that a client has asked for.
    await this.#loadAll(signal);
    // Other nodes may have committed more meanwhile.
    this.#order.begin(this.#topics.values(), this.#engine.seq);
    this.#options.metrics.engineUp.set(1);
  }

  close(): Promise<void> {
    return this.#engine.close();
  }

  /** Topics that take a place of `topicsMax`; not those that are only subscribed to. */
  get size(): number {
    return this.#places.taken;
  }

  get acknowledged(): AcknowledgedPositions {
    return this.#engine.acknowledged;
  }

  /** The bytes of the message ids that are remembered. */
  get messageIdBytes(): number {
    return this.#engine.messageIdBytes;
  }

  /** The bytes of all rings and states. */
  get bytes(): number {
    return this.#content.bytes;
  }

  /** Why the engine can't work at the moment. */
  get degradedBy(): Error | undefined {
    return this.#degraded;
  }

  /** Milliseconds since 1970 on the clock of ages and TTLs. */
  nowMs(): number {
    return this.#nowMs();
  }

  /** Milliseconds since 1970 for people and tokens; may jump. */
  wallMs(): number {
    return this.#wallMs();
  }

  /** Converts a time of the steady clock to the wall clock as it is set now. */
  toWallMs(steadyMs: number): number {
    return this.#wallMs() - this.#nowMs() + steadyMs;
  }

  /**
   * Publishes each and returns an outcome for each, in their order; at once where the engine does. Never rejects. A
   * JSON payload must have been checked to be JSON; the payload bytes must not change before the outcomes are there.
   * `payer`: who pays for what is remembered of them; absent: the gateway. `expected`: the position of the newest
   * publication of the topic; where it is another one by then, the outcome is `position_conflict`.
   */
  publish(
    publishes: readonly PublishFields[],
    payer?: Payer,
    expected?: Position,
  ): Awaitable<readonly AppendOutcome[]> {
    return this.#publishPath.publish(publishes, payer, expected);
  }

  /** The same for the runs of a pipeline. After a publish that is refused for now, the rest of its run is, too. */
  publishRuns(runs: PublishRuns, payer: Payer): Awaitable<readonly AppendOutcome[]> {
    return this.#publishPath.publishRuns(runs, payer);
  }

  /** A client has made these topics on another node, and published this: it is charged for them here, too. */
  madeElsewhere(maker: Maker, topics: readonly string[], published: readonly Published[] = []): void {
    this.#places.madeElsewhere(maker, topics);
    for (const each of published) {
      const topic = this.#topics.get(each.topic);
      if (topic !== undefined) this.#content.published(maker, topic, each);
    }
  }

  /** Publishes, at most once a second, and waits until the feed has it. Returns what is wrong, if anything is. */
  async probe(): Promise<string | undefined> {
    return this.#degraded === undefined ? this.#engineProbe.problem() : this.#degraded.message;
  }

  /** The topic as this node has it; undefined if it has neither publications nor subscribers here. */
  find(name: string): Topic | undefined {
    return this.#topics.get(name);
  }

  /** All topics of this node that hold something, in no useful order. */
  *topics(): Iterable<Topic> {
    for (const topic of this.#topics.values()) if (topic.epoch !== '') yield topic;
  }

  /** Topics that the pattern matches, those included that are created while the caller iterates. */
  topicsOf(pattern: string): Generator<Topic, void, undefined> {
    return matching(pattern, this.#topics.values());
  }

  /** The state topics among them. */
  statesOf(pattern: string): Generator<Topic, void, undefined> {
    return matching(pattern, this.#states);
  }

  /** Whether `load` has nothing to ask the engine. */
  isLoaded(name: string): boolean {
    return !this.#engine.retains || this.#topics.has(name);
  }

  /** Makes sure that this node has of the topic what the engine has. */
  async load(name: string): Promise<Topic | undefined> {
    return this.isLoaded(name) ? this.#topics.get(name) : this.#loads.load(name);
  }

  /** The topic, made if there is none, and kept until `release`, as by `Topic.retain`. Load it first. */
  retain(name: string): Topic {
    const topic = this.#topics.get(name) ?? this.#create(name);
    topic.retain();
    return topic;
  }

  release(topic: Topic): void {
    topic.release();
    if (topic.holds === 0 && topic.epoch === '') this.#delete(topic);
  }

  /**
   * A page of the publications in the ring with offsets greater than `after`. A topic whose content is gone has its
   * numbering still; an unknown one has the epoch "" and offset 0.
   */
  history(
    name: string,
    after: number | undefined,
    limit: number,
    maxBytes = Number.POSITIVE_INFINITY,
  ): Awaitable<HistoryPage> {
    // At once where it is loaded: the caller times the work.
    return whenDone(this.isLoaded(name) ? this.find(name) : this.load(name), (topic) => {
      if (topic === undefined) return emptyHistory(this.commits.lastPosition(name), after);
      const nowMs = this.#nowMs();
      this.#evictAged(topic, nowMs);
      return readHistoryPage(topic, after, limit, maxBytes, nowMs);
    });
  }

  /**
   * Evicts what is too old, topic by topic, and removes topics without content; expires keys of state topics
   * by appending their removal, so that subscribers hear of it in order. Call it about once a second.
   */
  sweep(): void {
    const nowMs = this.#nowMs();
    const expired: ExpiredValue[] = [];
    for (const topic of this.#topics.values()) {
      this.#evictAged(topic, nowMs);
      for (const publication of topic.state?.takeExpired(nowMs) ?? []) expired.push({ topic, publication });
      this.#removeIfIdle(topic);
    }
    if (expired.length > 0) void this.#keyExpiry.remove(expired);
    this.#content.sweep();
  }

  // ---- EngineFeed

  appended(name: string, epoch: string, publications: readonly StoredPublication[]): void {
    const topic = this.#topics.get(name) ?? this.#create(name);
    // The engine dropped its numbering while a subscriber held it.
    if (topic.epoch !== '' && topic.epoch !== epoch)
      this.reset(name, epoch, (publications[0]?.offset ?? 1) - 1);
    this.#content.apply(topic, epoch, publications);
    this.#order.changed(topic);
    this.#content.used(topic);
    this.#options.metrics.publicationsTotal.inc(publications.length);
    this.#listener?.appended(topic, publications);
  }

  reset(name: string, epoch: string, offset: number, stored?: StoredTopic, commonSeq?: number): void {
    // Also one without content: subscribers of patterns are told of what came and went.
    const topic = this.#topics.get(name) ?? (stored && this.#create(name));
    if (topic === undefined) return;
    const refilled = stored && this.#listener?.refilling?.(topic);
    this.#content.change(topic, () =>
      stored === undefined ? topic.reset(epoch, offset) : topic.refill(stored, commonSeq),
    );
    this.#content.used(topic);
    this.#order.reset(topic);
    this.#listener?.reset(topic);
    refilled?.();
  }

  missed({ forgottenSeq }: Pick<Engine, 'forgottenSeq'>): void {
    this.#listener?.missed?.();
    for (const topic of this.#topics.values()) if (topic.epoch === '') topic.wasUnheardUpto(forgottenSeq);
  }

  degraded(cause: Error | undefined): void {
    const hasChanged = (cause === undefined) !== (this.#degraded === undefined);
    this.#degraded = cause;
    this.#options.metrics.engineUp.set(cause === undefined ? 1 : 0);
    if (hasChanged) this.#listener?.degradedChanged?.();
  }

  #setGauges(): void {
    const { metrics } = this.#options;
    let publications = 0;
    for (const { ring } of this.topics()) publications += ring.count;
    metrics.topics.set(this.size);
    metrics.ringPublications.set(publications);
    metrics.ringBytes.set(this.bytes);
    metrics.messageIdBytes.set(this.messageIdBytes);
    metrics.acknowledgedPositions.set(this.acknowledged.count);
  }

  #create(name: string): Topic {
    const options = this.#options.namespace(namespaceOf(name));
    const { forgottenSeq } = this.#engine;
    const topic = new Topic(name, options, this.#segments, this.#evicted, forgottenSeq);
    const numbering = this.#engine.numbering(name);
    if (numbering !== undefined) topic.resume(numbering);
    this.#topics.set(name, topic);
    if (topic.state !== undefined) this.#states.add(topic);
    return topic;
  }

  async #loadAll(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      try {
        await this.#loads.loadAll(this.#engine.names?.() ?? [], signal);
        return;
      } catch (error) {
        signal?.throwIfAborted();
        if (this.#engine.reopened === undefined) throw error;
        await this.#engine.reopened(error as Error, signal);
      }
    }
  }

  async #load(name: string): Promise<Topic | undefined> {
    if (this.isLoaded(name)) return this.#topics.get(name);
    const stored = await this.#engine.load(name);
    if (stored === undefined) return this.#topics.get(name);
    const topic = this.#topics.get(name) ?? this.#create(name);
    if (topic.epoch !== '') return topic;
    this.#content.change(topic, () => topic.fill(stored));
    this.#content.used(topic);
    return topic;
  }

  #evictAged(topic: Topic, nowMs: number): void {
    if (topic.ring.hasAged(nowMs)) this.#content.change(topic, () => topic.ring.evictAged(nowMs));
  }

  #removeIfIdle(topic: Topic): void {
    if (topic.holdsContent) return;
    if (topic.holds > 0) this.#places.free(topic);
    else if (this.#engine.forget(topic.name)) {
      this.#delete(topic);
      this.#listener?.removed(topic);
    } else this.#places.stays(topic);
  }

  #delete(topic: Topic): void {
    this.#places.free(topic);
    this.#topics.delete(topic.name);
    this.#states.delete(topic);
    this.#order.delete(topic);
  }
}

import { setImmediate as nextTurn, setTimeout } from 'node:timers/promises';
import type { Awaitable } from '../awaitable.ts';
import { steadyNowMs } from '../clock.ts';
import { SluiceError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { Position, PublishFields } from '../protocol/frames.ts';
import { nullPayload } from '../protocol/payload.ts';
import { publishOf } from '../protocol/publication.ts';
import { AppendRetry, type AppendRetryOptions } from './append-retry.ts';
import { ChangeOrder } from './change-order.ts';
import type { AppendOutcome, AppendRequest, Engine, EngineFeed, Numbering } from './engine.ts';
import { emptyHistory, type HistoryPage, historyPage } from './history.ts';
import { LinkedMap } from './linked-map.ts';
import type { Payer } from './payer.ts';
import { Places } from './places.ts';
import type { StoredPublication } from './publication.ts';
import { publishProblem, topicNameProblem } from './publish-problem.ts';
import { PublishQuota } from './publish-quota.ts';
import type { EvictionReason } from './ring.ts';
import { Topic, type TopicOptions } from './topic.ts';
import { namespaceOf, topicProblem } from './topic-name.ts';

/** Told of every change, in order, before the publisher has its answer. */
export interface TopicListener {
  appended(topic: Topic, publications: readonly StoredPublication[]): void;
  /** The numbering of the topic started anew. */
  reset(topic: Topic): void;
  /** The topic held nothing any more, and nobody held it. */
  removed(topic: Topic): void;
}

/** When publishes were accepted, and who pays for them. */
interface Accepted {
  readonly nowMs: number;
  /** By the wall clock. */
  readonly timestampMs: number;
  readonly acceptedAtMs: number;
  readonly payer: Payer | undefined;
}

/** A value of a state topic that has outlived its TTL. */
interface Expired {
  readonly topic: Topic;
  readonly publication: StoredPublication;
}

/** How long stored topics are loaded before the event loop gets a turn. */
const loadTurnMs = 10;

/** Where the probe publishes. */
const probeTopic = '$probe';

/** Probes that are asked for within this time share one: each is a commit, and anyone may ask. */
const probeEveryMs = 1000;

/** The answers to all, in their order: what was not admitted has its error. */
function merged(
  admitted: readonly (AppendRequest | SluiceError)[],
  appended: readonly AppendOutcome[],
): readonly AppendOutcome[] {
  if (appended.length === admitted.length) return appended;
  const answers = appended.values();
  return admitted.map((each) =>
    isAdmitted(each) ? (answers.next().value as AppendOutcome) : { ok: false, error: each },
  );
}

function isAdmitted(admitted: AppendRequest | SluiceError): admitted is AppendRequest {
  return !(admitted instanceof SluiceError);
}

export interface BrokerOptions {
  readonly engine: Engine;
  readonly namespace: (name: string) => TopicOptions;
  readonly metrics: AppendRetryOptions['metrics'] &
    Pick<Metrics, 'publicationsTotal' | 'publishSeconds' | 'publishErrorsTotal' | 'publishDuplicatesTotal'> &
    Pick<Metrics, 'rateLimitedTotal' | 'ringEvictionsTotal' | 'engineUp'> &
    Pick<Metrics, 'topics' | 'ringPublications' | 'ringBytes' | 'messageIdBytes' | 'onScrape'>;
  readonly payloadMaxBytes: number;
  readonly topicsMax: number;
  /** For the rings and states of all topics. */
  readonly historyMaxBytes: number;
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
 * The topics of this node: takes publishes to the engine, and what the engine feeds back into rings and on to the
 * listener. Whatever is in a ring here is committed.
 */
export class Broker implements EngineFeed {
  readonly #engine: Engine;
  readonly #options: BrokerOptions;
  readonly #nowMs: () => number;
  readonly #wallMs: () => number;
  readonly #monotonicMs: () => number;
  readonly #appendRetry: AppendRetry;
  readonly #topics = new Map<string, Topic>();
  /** Those whose ring holds something; the one that has been idle for longest is the oldest. */
  readonly #rings = new LinkedMap<string, Topic>();
  readonly #places = new Places();
  readonly #loading = new Map<string, Promise<Topic | undefined>>();
  readonly #evicted: (reason: EvictionReason, count: number) => void;
  #listener: TopicListener | undefined;
  #ringBytes = 0;
  #stateBytes = 0;
  readonly #order = new ChangeOrder();
  #changes = 0;
  #seq = 0;
  #degraded: Error | undefined;
  #probed: { readonly atMs: number; readonly problem: Promise<string | undefined> } | undefined;

  constructor(options: BrokerOptions) {
    this.#options = options;
    this.#engine = options.engine;
    this.#nowMs = options.nowMs ?? steadyNowMs;
    this.#wallMs = options.wallMs ?? options.nowMs ?? (() => Date.now());
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    const { engine, metrics, wait = setTimeout } = options;
    this.#appendRetry = new AppendRetry({ engine, metrics, wait, monotonicMs: this.#monotonicMs });
    const evictions = {
      count: metrics.ringEvictionsTotal.labels({ reason: 'count' }),
      age: metrics.ringEvictionsTotal.labels({ reason: 'age' }),
      bytes: metrics.ringEvictionsTotal.labels({ reason: 'bytes' }),
      total: metrics.ringEvictionsTotal.labels({ reason: 'total' }),
    };
    this.#evicted = (reason, count) => evictions[reason].inc(count);
    metrics.onScrape(() => this.#setGauges());
  }

  /** Rejects with what the engine says, or with the reason of `signal` once that is aborted; then close it. */
  async open(listener: TopicListener, signal?: AbortSignal): Promise<void> {
    this.#listener = listener;
    await this.#engine.open(this, signal);
    this.#seq = this.#engine.seq;
    await this.#loadStored(signal);
    for (const topic of [...this.#topics.values()].sort((a, b) => a.seq - b.seq)) this.#order.touch(topic);
    this.#options.metrics.engineUp.set(1);
  }

  async close(): Promise<void> {
    await this.#engine.close();
  }

  /** Topics that take a place of `topicsMax`; not those that are only subscribed to. */
  get size(): number {
    return this.#places.taken;
  }

  /** What `seq` counts in. */
  get commits(): Pick<Engine, 'epoch' | 'forgottenSeq'> {
    return this.#engine;
  }

  /** Where a topic is whose content is gone; the epoch "" and offset 0 when nothing is known of it. */
  lastPosition(name: string): Position {
    const { epoch, offset } = this.#engine.numbering(name) ?? { epoch: '', offset: 0 };
    return { epoch, offset };
  }

  /** The newest commit that this node has heard of. */
  get seq(): number {
    return this.#seq;
  }

  /** A number that grows with each publication and reset of any topic. */
  get changes(): number {
    return this.#changes;
  }

  /** The topics that had a publication after this commit; the last changed first. */
  *publishedAfter(seq: number): Iterable<Topic> {
    for (let topic = this.#order.newest; topic !== undefined; topic = topic.changedBefore) {
      if (topic.seq > seq) yield topic;
      else if (topic.changedAtSeq <= seq) return;
    }
  }

  /** The topics that have changed since `changes` had this value; the last changed first. */
  *changedAfter(changes: number): Iterable<Topic> {
    for (let topic = this.#order.newest; topic !== undefined; topic = topic.changedBefore) {
      if (topic.changedAt <= changes) return;
      yield topic;
    }
  }

  /** The numbering of a topic whose content is gone. */
  numbering(name: string): Numbering | undefined {
    return this.#engine.numbering(name);
  }

  /** Those that have one after this commit. */
  numberings(afterSeq: number): Iterable<readonly [topic: string, numbering: Numbering]> {
    return this.#engine.numberings(afterSeq);
  }

  /** What the message ids that are remembered cost. */
  get messageIdBytes(): number {
    return this.#engine.messageIdBytes;
  }

  /** Of all rings and states. */
  get bytes(): number {
    return this.#ringBytes + this.#stateBytes;
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

  /** When that was by the wall clock as it is set now. */
  toWallMs(steadyMs: number): number {
    return this.#wallMs() - this.#nowMs() + steadyMs;
  }

  /**
   * Publishes each and answers each, in their order; at once where the engine does. Never rejects. A JSON payload must have been
   * checked to be JSON; the payload bytes must stay as they are until the answer. `payer`: who pays for what is remembered
   * of them; absent: the gateway.
   */
  publish(publishes: readonly PublishFields[], payer?: Payer): Awaitable<readonly AppendOutcome[]> {
    const acceptedAtMs = this.#monotonicMs();
    const nowMs = this.#nowMs();
    const accepted = { nowMs, timestampMs: this.#wallMs(), acceptedAtMs, payer };
    const isLoaded = !this.#engine.retains || publishes.every(({ topic }) => this.isLoaded(topic));
    if (!isLoaded) return this.#publishLater(publishes, accepted);
    const outcomes = this.#appendAdmitted(this.#admitAll(publishes, accepted, undefined));
    return outcomes instanceof Promise
      ? this.#answeredLater(outcomes, acceptedAtMs)
      : this.#answered(outcomes, acceptedAtMs);
  }

  /** Publishes and waits until the feed has it, at most once a second: what is wrong with that, or undefined. */
  async probe(): Promise<string | undefined> {
    if (this.#degraded !== undefined) return this.#degraded.message;
    const nowMs = this.#monotonicMs();
    if (this.#probed === undefined || nowMs - this.#probed.atMs >= probeEveryMs)
      this.#probed = { atMs: nowMs, problem: this.#probe() };
    return this.#probed.problem;
  }

  async #probe(): Promise<string | undefined> {
    const [outcome] = await this.publish([
      publishOf({ topic: probeTopic, type: 'probe', payload: nullPayload, ttlMs: 1000 }),
    ]);
    if (outcome === undefined || !outcome.ok) return outcome?.error.message ?? 'no answer';
    return (this.#topics.get(probeTopic)?.ring.newest ?? 0) >= outcome.offset
      ? undefined
      : 'the feed is behind the engine';
  }

  /** The topic as this node has it; nothing when nobody published or subscribed here. */
  find(name: string): Topic | undefined {
    return this.#topics.get(name);
  }

  /** All topics of this node that hold something, in no useful order. */
  *topics(): Iterable<Topic> {
    for (const topic of this.#topics.values()) if (topic.epoch !== '') yield topic;
  }

  /** Whether `open` would have to ask the engine first. */
  isLoaded(name: string): boolean {
    return !this.#engine.retains || this.#topics.has(name);
  }

  /** Makes sure that this node has of the topic what the engine has. */
  async load(name: string): Promise<Topic | undefined> {
    if (this.isLoaded(name)) return this.#topics.get(name);
    let loading = this.#loading.get(name);
    if (loading === undefined) {
      loading = this.#load(name).finally(() => this.#loading.delete(name));
      this.#loading.set(name, loading);
    }
    return loading;
  }

  /** The topic, made when there is none, and kept until `release`. Load it first. */
  retain(name: string): Topic {
    const topic = this.#topics.get(name) ?? this.#create(name);
    this.retainTopic(topic);
    return topic;
  }

  /** One that is there. */
  retainTopic(topic: Topic): void {
    topic.holds++;
  }

  release(topic: Topic): void {
    topic.holds--;
    if (topic.holds > 0 || topic.epoch !== '') return;
    this.#topics.delete(topic.name);
    this.#order.delete(topic);
  }

  /**
   * A page of the publications in the ring with offsets greater than `after`. A topic whose content is gone has its numbering
   * still; an unknown one has the epoch "" and offset 0.
   */
  async history(
    name: string,
    after: number | undefined,
    limit: number,
    maxBytes = Number.POSITIVE_INFINITY,
  ): Promise<HistoryPage> {
    const topic = await this.load(name);
    if (topic === undefined) return emptyHistory(this.lastPosition(name), after);
    const nowMs = this.#nowMs();
    this.#evictAged(topic, nowMs);
    return historyPage(topic, after, limit, maxBytes, nowMs);
  }

  /**
   * Lets go of what is too old, topic by topic, and of topics that hold nothing any more; expires keys of state topics
   * by appending their removal, so that subscribers hear of it in order. Call it about once a second.
   */
  sweep(): void {
    const nowMs = this.#nowMs();
    const expired: Expired[] = [];
    for (const topic of this.#topics.values()) {
      this.#evictAged(topic, nowMs);
      for (const publication of topic.state?.takeExpired(nowMs) ?? []) expired.push({ topic, publication });
      this.#removeIfIdle(topic);
    }
    if (expired.length > 0) void this.#expire(expired, nowMs);
  }

  // ---- EngineFeed

  appended(name: string, epoch: string, publications: readonly StoredPublication[]): void {
    const topic = this.#topics.get(name) ?? this.#create(name);
    if (topic.epoch === '') topic.epoch = epoch;
    else if (topic.epoch !== epoch) throw new Error(`${name}: epoch ${epoch} without a reset`);
    this.#change(topic, () => topic.apply(publications));
    this.#changed(topic);
    this.#rings.set(name, topic);
    this.#shrink();
    this.#options.metrics.publicationsTotal.inc(publications.length);
    this.#listener?.appended(topic, publications);
  }

  reset(name: string, epoch: string, offset: number): void {
    const topic = this.#topics.get(name);
    if (topic === undefined) return;
    this.#change(topic, () => topic.reset(epoch, offset));
    this.#changed(topic);
    topic.resetAt = topic.changedAt;
    this.#listener?.reset(topic);
  }

  degraded(cause: Error | undefined): void {
    this.#degraded = cause;
    this.#options.metrics.engineUp.set(cause === undefined ? 1 : 0);
  }

  // ---- private

  /** Patterns, lists, limits and the sweep are about all topics, not only about those that a client has asked for. */
  async #loadStored(signal: AbortSignal | undefined): Promise<void> {
    let turnBeganMs = this.#monotonicMs();
    for (const name of this.#engine.names?.() ?? []) {
      signal?.throwIfAborted();
      await this.load(name);
      if (this.#monotonicMs() - turnBeganMs < loadTurnMs) continue;
      // Signals to the process are heard in between only.
      await nextTurn();
      turnBeganMs = this.#monotonicMs();
    }
    signal?.throwIfAborted();
  }

  // What is done at once makes no closures (`bench -- unicast --allocations`).

  async #publishLater(
    publishes: readonly PublishFields[],
    accepted: Accepted,
  ): Promise<readonly AppendOutcome[]> {
    const unloadable = await this.#loadAll(publishes);
    const outcomes = await this.#appendAdmitted(this.#admitAll(publishes, accepted, unloadable));
    return this.#answered(outcomes, accepted.acceptedAtMs);
  }

  async #answeredLater(
    outcomes: Promise<readonly AppendOutcome[]>,
    acceptedAtMs: number,
  ): Promise<readonly AppendOutcome[]> {
    return this.#answered(await outcomes, acceptedAtMs);
  }

  #answered(outcomes: readonly AppendOutcome[], acceptedAtMs: number): readonly AppendOutcome[] {
    for (const outcome of outcomes) this.#count(outcome);
    this.#options.metrics.publishSeconds.observe((this.#monotonicMs() - acceptedAtMs) / 1000);
    return outcomes;
  }

  /** What the engine is to be asked of each, or why it is not. `unloadable`: topics that could not be loaded. */
  #admitAll(
    publishes: readonly PublishFields[],
    accepted: Accepted,
    unloadable: ReadonlyMap<string, SluiceError> | undefined,
  ): (AppendRequest | SluiceError)[] {
    const { topicsMax, historyMaxBytes } = this.#options;
    const quota = new PublishQuota({
      topics: topicsMax - this.#places.promised,
      stateBytes: historyMaxBytes - this.#stateBytes,
    });
    const admitted = new Array<AppendRequest | SluiceError>(publishes.length);
    for (let i = 0; i < publishes.length; i++) {
      const fields = publishes[i] as PublishFields;
      admitted[i] = unloadable?.get(fields.topic) ?? this.#admit(fields, quota, accepted);
    }
    return admitted;
  }

  /** Answers each: what was not admitted with why, the others with what the engine said, in their order. */
  #appendAdmitted(admitted: readonly (AppendRequest | SluiceError)[]): Awaitable<readonly AppendOutcome[]> {
    const requests = admitted.every(isAdmitted) ? admitted : admitted.filter(isAdmitted);
    const appended = requests.length === 0 ? [] : this.#appendRetry.append(requests);
    return appended instanceof Promise
      ? this.#mergedLater(admitted, requests, appended)
      : merged(admitted, appended);
  }

  async #mergedLater(
    admitted: readonly (AppendRequest | SluiceError)[],
    requests: readonly AppendRequest[],
    appending: Promise<readonly AppendOutcome[]>,
  ): Promise<readonly AppendOutcome[]> {
    const coming = this.#expect(requests);
    const appended = await appending;
    for (const name of coming) this.#places.arrived(name);
    return merged(admitted, appended);
  }

  /** Takes the places of topics that these requests will begin. Returns their names. */
  #expect(requests: readonly AppendRequest[]): readonly string[] {
    const names = requests
      .map(({ fields }) => fields.topic)
      .filter((name) => this.#topics.get(name)?.holdsContent !== true);
    for (const name of names) this.#places.expect(name);
    return names;
  }

  /** What the engine is to be asked, or why it is not. */
  #admit(
    fields: PublishFields,
    quota: PublishQuota,
    { nowMs, timestampMs, acceptedAtMs, payer }: Accepted,
  ): AppendRequest | SluiceError {
    const topic = this.#topics.get(fields.topic);
    const problem =
      (topic === undefined ? topicNameProblem(fields.topic) : undefined) ??
      publishProblem(fields, this.#options.payloadMaxBytes) ??
      (this.#places.needsOne(fields.topic, topic) ? quota.topicProblem(fields.topic) : undefined);
    if (problem !== undefined) return problem;
    const { mode, ttlMs } = topic?.options ?? this.#options.namespace(namespaceOf(fields.topic));
    const full = mode === 'state' ? quota.valueProblem(fields, topic) : undefined;
    if (full !== undefined) return full;
    const resolved = fields.ttlMs === undefined && ttlMs !== undefined ? { ...fields, ttlMs } : fields;
    return { fields: resolved, publishedMs: nowMs, timestampMs, acceptedAtMs, payer };
  }

  /** Loads what will be appended to; answers what could not be. */
  async #loadAll(publishes: readonly PublishFields[]): Promise<ReadonlyMap<string, SluiceError>> {
    const failed = new Map<string, SluiceError>();
    const names = new Set(publishes.map(({ topic }) => topic));
    const load = async (name: string) => {
      if (this.isLoaded(name) || topicProblem(name) !== undefined) return;
      try {
        await this.load(name);
      } catch (cause) {
        failed.set(name, new SluiceError('engine_unavailable', undefined, { cause }));
      }
    };
    await Promise.all([...names].map(load));
    return failed;
  }

  #count(outcome: AppendOutcome): void {
    const { metrics } = this.#options;
    if (!outcome.ok) {
      const { code } = outcome.error;
      metrics.publishErrorsTotal.inc({ code });
      if (code === 'rate_limited') metrics.rateLimitedTotal.inc({ scope: 'publish' });
    } else if (outcome.duplicate) metrics.publishDuplicatesTotal.inc();
  }

  #setGauges(): void {
    const { metrics } = this.#options;
    let publications = 0;
    for (const { ring } of this.topics()) publications += ring.count;
    metrics.topics.set(this.size);
    metrics.ringPublications.set(publications);
    metrics.ringBytes.set(this.bytes);
    metrics.messageIdBytes.set(this.messageIdBytes);
  }

  #changed(topic: Topic): void {
    if (topic.seq > this.#seq) this.#seq = topic.seq;
    topic.changedAt = ++this.#changes;
    topic.changedAtSeq = this.#seq;
    this.#order.touch(topic);
  }

  #create(name: string): Topic {
    const topic = new Topic(name, this.#options.namespace(namespaceOf(name)), this.#evicted);
    const numbering = this.#engine.numbering(name);
    if (numbering === undefined) topic.bornAfterSeq = this.#engine.forgottenSeq;
    else topic.resume(numbering);
    this.#topics.set(name, topic);
    return topic;
  }

  async #load(name: string): Promise<Topic | undefined> {
    const stored = await this.#engine.load(name);
    if (stored === undefined) return this.#topics.get(name);
    const topic = this.#topics.get(name) ?? this.#create(name);
    if (topic.epoch !== '') return topic;
    this.#change(topic, () => topic.fill(stored));
    if (topic.ring.count > 0) this.#rings.set(name, topic);
    this.#shrink();
    return topic;
  }

  /**
   * Empties the rings of the topics that have been idle for longest, until all fit; the one that was used last keeps its
   * own. Epochs, offsets and states stay.
   */
  #shrink(): void {
    while (this.bytes > this.#options.historyMaxBytes && this.#rings.size > 1) {
      const idle = this.#rings.oldest?.value as Topic;
      this.#change(idle, () => idle.ring.evictAll());
    }
  }

  #evictAged(topic: Topic, nowMs: number): void {
    if (topic.ring.hasAged(nowMs)) this.#change(topic, () => topic.ring.evictAged(nowMs));
  }

  /** Keeps count of what the change adds or takes. */
  #change(topic: Topic, change: () => void): void {
    const { ring, state, holdsContent } = topic;
    const ringBytes = ring.bytes;
    const stateBytes = state?.bytes ?? 0;
    change();
    this.#ringBytes += ring.bytes - ringBytes;
    this.#stateBytes += (state?.bytes ?? 0) - stateBytes;
    if (ring.count === 0) this.#rings.delete(topic.name);
    if (topic.holdsContent !== holdsContent) this.#places.contentChanged(topic);
  }

  /** Asks the engine once for each; what it could not do comes up again at a later sweep. */
  async #expire(expired: readonly Expired[], nowMs: number): Promise<void> {
    const acceptedAtMs = this.#monotonicMs();
    const timestampMs = this.#wallMs();
    const requests = expired.map(({ topic: { epoch }, publication }): AppendRequest => {
      const { topic, type, key, tags, offset } = publication;
      const fields = publishOf({ topic, type, key, tags, payload: nullPayload, removed: true });
      return { fields, publishedMs: nowMs, timestampMs, acceptedAtMs, ifNewest: { epoch, offset } };
    });
    const outcomes = await this.#appendRetry.once(requests);
    for (const [i, { topic, publication }] of expired.entries()) {
      if (outcomes[i]?.ok === true) this.#options.metrics.ringEvictionsTotal.inc({ reason: 'ttl' });
      else topic.state?.expireAgain(publication);
    }
  }

  #removeIfIdle(topic: Topic): void {
    if (topic.holdsContent) return;
    if (topic.holds === 0 && !this.#engine.forget(topic.name)) {
      this.#places.stays(topic);
      return;
    }
    this.#places.free(topic);
    if (topic.holds > 0) return;
    this.#topics.delete(topic.name);
    this.#order.delete(topic);
    this.#listener?.removed(topic);
  }
}

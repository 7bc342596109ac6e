import type { Awaitable } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { Position } from '../protocol/frames.ts';
import { namespaceOf } from '../protocol/namespace.ts';
import { type PublishFields, publishFrom } from '../protocol/publication.ts';
import type { AppendRetry } from './append-retry.ts';
import type { ContentBudget } from './content-budget.ts';
import type { AppendOutcome, AppendRequest } from './engine.ts';
import type { Payer } from './payer.ts';
import { bytesOf } from './publication.ts';
import { publishProblem, topicNameProblem } from './publish-problem.ts';
import { StorageLimits } from './storage-limits.ts';
import type { Topic, TopicOptions } from './topic.ts';
import { topicProblem } from './topic-name.ts';
import type { Makers, TopicPlaces } from './topic-places.ts';
import { type Maker, makerOf } from './topic-shares.ts';

/** The topics of this node, as far as a publish needs them. */
interface PublishedTopics {
  find(name: string): Topic | undefined;
  /** Whether `load` has nothing to do. */
  isLoaded(name: string): boolean;
  load(name: string): Promise<unknown>;
}

export interface PublishPathOptions {
  readonly topics: PublishedTopics;
  readonly places: TopicPlaces;
  readonly content: Pick<ContentBudget, 'stateRoom' | 'published'>;
  readonly makers?: Makers | undefined;
  readonly appendRetry: AppendRetry;
  readonly namespace: (name: string) => TopicOptions;
  readonly metrics: Pick<
    Metrics,
    'publishSeconds' | 'publishErrorsTotal' | 'publishDuplicatesTotal' | 'rateLimitedTotal'
  >;
  readonly payloadMaxBytes: number;
  /** Charges the payer for sending a publication to subscribers. Returns why it is refused, or nothing. */
  readonly chargeSending?:
    | ((fields: PublishFields, topic: Topic | undefined, payer: Payer | undefined) => SluiceError | undefined)
    | undefined;
  /** See `BrokerOptions`. */
  readonly nowMs: () => number;
  readonly wallMs: () => number;
  readonly monotonicMs: () => number;
}

const none: readonly string[] = [];

/** The publishes of several calls. */
export type PublishRuns = readonly (readonly PublishFields[])[];

/** When publishes were accepted, and who pays for them. */
interface Acceptance {
  readonly nowMs: number;
  /** By the wall clock. */
  readonly timestampMs: number;
  readonly acceptedAtMs: number;
  readonly payer: Payer | undefined;
  readonly expected: Position | undefined;
  /** None of a call may overtake one of it that is refused for now, of whichever topic. */
  readonly isPipelined: boolean;
}

/** A publish would overtake one that is refused for now. */
export function overtaking(): SluiceError {
  return new SluiceError('rate_limited', 'a publish before it was refused for now', { retryAfterMs: 1 });
}

/** The path of a publish to the engine: checks, loading of its topic, append, metrics. */
export class PublishPath {
  readonly #options: PublishPathOptions;
  /** By topic: the newest publishes of it that wait for one of their topics. Later ones must not overtake them. */
  readonly #loading = new Map<string, Promise<unknown>>();

  constructor(options: PublishPathOptions) {
    this.#options = options;
  }

  /** See `Broker.publish`. */
  publish(
    publishes: readonly PublishFields[],
    payer?: Payer,
    expected?: Position,
  ): Awaitable<readonly AppendOutcome[]> {
    return this.#publish(publishes, this.#accepted(payer, expected, false));
  }

  /** See `Broker.publishRuns`. */
  publishRuns(runs: PublishRuns, payer: Payer): Awaitable<readonly AppendOutcome[]> {
    const accepted = this.#accepted(payer, undefined, true);
    const only = runs.length === 1 ? runs[0] : undefined;
    if (only !== undefined) return this.#publish(only, accepted);
    return runs.every((run) => areLoaded(run, this.#options.topics, this.#loading))
      ? this.#appendRuns(runs, accepted, undefined)
      : this.#publishLater(runs, accepted);
  }

  // The synchronous path makes no closures (`bench -- unicast --allocations`).

  #accepted(payer: Payer | undefined, expected: Position | undefined, isPipelined: boolean): Acceptance {
    const { nowMs, wallMs, monotonicMs } = this.#options;
    const acceptedAtMs = monotonicMs();
    return { nowMs: nowMs(), timestampMs: wallMs(), acceptedAtMs, payer, expected, isPipelined };
  }

  #publish(publishes: readonly PublishFields[], accepted: Acceptance): Awaitable<readonly AppendOutcome[]> {
    if (!areLoaded(publishes, this.#options.topics, this.#loading))
      return this.#publishLater([publishes], accepted);
    const outcomes = this.#append(publishes, accepted, undefined);
    return outcomes instanceof Promise
      ? this.#finishedLater(outcomes, accepted.acceptedAtMs)
      : this.#finished(outcomes, accepted.acceptedAtMs);
  }

  async #publishLater(runs: PublishRuns, accepted: Acceptance): Promise<readonly AppendOutcome[]> {
    const names = new Set(runs.flatMap((run) => run.map(({ topic }) => topic)));
    const loading = this.#loadAll(names);
    for (const name of names) this.#loading.set(name, loading);
    const unloadable = await loading;
    for (const name of names) if (this.#loading.get(name) === loading) this.#loading.delete(name);
    return this.#appendRuns(runs, accepted, unloadable);
  }

  async #appendRuns(
    runs: PublishRuns,
    accepted: Acceptance,
    unloadable: ReadonlyMap<string, SluiceError> | undefined,
  ): Promise<readonly AppendOutcome[]> {
    const outcomes = await Promise.all(runs.map((run) => this.#append(run, accepted, unloadable)));
    return this.#finished(outcomes.flat(), accepted.acceptedAtMs);
  }

  async #finishedLater(
    outcomes: Promise<readonly AppendOutcome[]>,
    acceptedAtMs: number,
  ): Promise<readonly AppendOutcome[]> {
    return this.#finished(await outcomes, acceptedAtMs);
  }

  #finished(outcomes: readonly AppendOutcome[], acceptedAtMs: number): readonly AppendOutcome[] {
    for (const outcome of outcomes) this.#count(outcome);
    this.#options.metrics.publishSeconds.observe((this.#options.monotonicMs() - acceptedAtMs) / 1000);
    return outcomes;
  }

  /**
   * Returns an outcome for each, in their order: the error of those not admitted, else the engine's outcome.
   * `unloadable`: topics that could not be loaded.
   */
  #append(
    publishes: readonly PublishFields[],
    accepted: Acceptance,
    unloadable: ReadonlyMap<string, SluiceError> | undefined,
  ): Awaitable<readonly AppendOutcome[]> {
    const { places, content } = this.#options;
    const { payer, isPipelined } = accepted;
    const limits = new StorageLimits(places, content, payer);
    const admitted = new Array<AppendRequest | SluiceError>(publishes.length);
    // The wait may end between two publishes: a later one would overtake those that are to be sent again.
    let limited: SluiceError | undefined;
    for (let i = 0; i < publishes.length; i++) {
      const fields = publishes[i] as PublishFields;
      const each = limited ?? unloadable?.get(fields.topic) ?? this.#admit(fields, limits, accepted);
      if (each instanceof SluiceError && each.retry) {
        if (each.code === 'rate_limited') limited = each;
        else if (isPipelined) limited = overtaking();
      }
      admitted[i] = each;
    }
    return this.#appendAdmitted(admitted, limits.begun, payer);
  }

  /** `begun`: topics that these requests begin, if there are any, for this payer. */
  #appendAdmitted(
    admitted: readonly (AppendRequest | SluiceError)[],
    begun: ReadonlySet<string> | undefined,
    payer: Payer | undefined,
  ): Awaitable<readonly AppendOutcome[]> {
    const requests = admitted.every(isAdmitted) ? admitted : admitted.filter(isAdmitted);
    if (begun !== undefined) this.#expect(begun, payer);
    const appended = requests.length === 0 ? [] : this.#options.appendRetry.append(requests);
    if (appended instanceof Promise) return this.#mergedLater(admitted, requests, appended, begun, payer);
    if (begun !== undefined) this.#arrived(begun);
    this.#charge(requests, appended, makerOf(payer));
    return merged(admitted, appended);
  }

  async #mergedLater(
    admitted: readonly (AppendRequest | SluiceError)[],
    requests: readonly AppendRequest[],
    appending: Promise<readonly AppendOutcome[]>,
    begun: ReadonlySet<string> | undefined,
    payer: Payer | undefined,
  ): Promise<readonly AppendOutcome[]> {
    // One of these publishes may begin a topic that another client was to begin, and that is refused.
    const coming = this.#withoutContent(requests);
    if (coming.length > 0) this.#expect(coming, undefined);
    const appended = await appending;
    if (begun !== undefined) this.#arrived(begun);
    if (coming.length > 0) this.#arrived(coming);
    this.#charge(requests, appended, makerOf(payer));
    return merged(admitted, appended);
  }

  /** Charges a client for what the topics keep of these requests. */
  #charge(
    requests: readonly AppendRequest[],
    outcomes: readonly AppendOutcome[],
    maker: Maker | undefined,
  ): void {
    if (maker === undefined) return;
    const { topics, content, makers } = this.#options;
    for (let i = 0; i < requests.length; i++) {
      const { fields } = requests[i] as AppendRequest;
      const outcome = outcomes[i] as AppendOutcome;
      const topic = topics.find(fields.topic);
      if (topic === undefined || !outcome.ok || outcome.duplicate) continue;
      const key = topic.state && (fields.key ?? '');
      const published = { topic: topic.name, offset: outcome.offset, bytes: bytesOf(fields), key };
      content.published(maker, topic, published);
      makers?.published(published, maker);
    }
  }

  /** The topics of these requests that have nothing yet: mostly none. */
  #withoutContent(requests: readonly AppendRequest[]): readonly string[] {
    let names: string[] | undefined;
    for (const { fields } of requests) {
      if (this.#options.topics.find(fields.topic)?.holdsContent === true) continue;
      names ??= [];
      names.push(fields.topic);
    }
    return names ?? none;
  }

  #expect(names: Iterable<string>, payer: Payer | undefined): void {
    for (const name of names) this.#options.places.expect(name, payer);
  }

  #arrived(names: Iterable<string>): void {
    for (const name of names) this.#options.places.arrived(name);
  }

  /** The request for the engine, or the error that refuses the publish. */
  #admit(
    fields: PublishFields,
    limits: StorageLimits,
    { nowMs, timestampMs, acceptedAtMs, payer, expected }: Acceptance,
  ): AppendRequest | SluiceError {
    const topic = this.#options.topics.find(fields.topic);
    const problem =
      (topic === undefined ? topicNameProblem(fields.topic) : undefined) ??
      publishProblem(fields, this.#options.payloadMaxBytes) ??
      this.#options.chargeSending?.(fields, topic, payer) ??
      (this.#options.places.needsOne(fields.topic, topic) ? limits.topicProblem(fields.topic) : undefined);
    if (problem !== undefined) return problem;
    const { mode, ttlMs } = topic?.options ?? this.#options.namespace(namespaceOf(fields.topic));
    const full = mode === 'state' ? limits.valueProblem(fields, topic) : undefined;
    if (full !== undefined) return full;
    const resolved = fields.ttlMs === undefined && ttlMs !== undefined ? withTtl(fields, ttlMs) : fields;
    return { fields: resolved, publishedAtMs: nowMs, timestampMs, acceptedAtMs, payer, expected };
  }

  /**
   * Loads the topics that will be appended to, and waits for earlier publishes that wait; returns why some could not be
   * loaded. At once: publishes that wait for the same topic share one load of it.
   */
  async #loadAll(names: ReadonlySet<string>): Promise<ReadonlyMap<string, SluiceError>> {
    const failed = new Map<string, SluiceError>();
    const earlier = [...names].map((name) => this.#loading.get(name));
    const load = async (name: string) => {
      if (this.#options.topics.isLoaded(name) || topicProblem(name) !== undefined) return;
      try {
        await this.#options.topics.load(name);
      } catch (cause) {
        failed.set(name, new SluiceError('engine_unavailable', undefined, { cause }));
      }
    };
    await Promise.all([...[...names].map(load), ...earlier]);
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
}

/** A loop: `every` would make a callback for each publish. */
function areLoaded(
  publishes: readonly PublishFields[],
  topics: PublishedTopics,
  loading: ReadonlyMap<string, unknown>,
): boolean {
  for (const { topic } of publishes) if (!topics.isLoaded(topic)) return false;
  if (loading.size > 0) for (const { topic } of publishes) if (loading.has(topic)) return false;
  return true;
}

function withTtl(fields: PublishFields, ttlMs: number): PublishFields {
  const changed = publishFrom(fields, fields.payload);
  changed.ttlMs = ttlMs;
  return changed;
}

/** The outcomes of all, in order: those that were refused have their error. */
function merged(
  admitted: readonly (AppendRequest | SluiceError)[],
  appended: readonly AppendOutcome[],
): readonly AppendOutcome[] {
  if (appended.length === admitted.length) return appended;
  const outcomes = appended.values();
  return admitted.map((each) =>
    isAdmitted(each) ? (outcomes.next().value as AppendOutcome) : { ok: false, error: each },
  );
}

function isAdmitted(admitted: AppendRequest | SluiceError): admitted is AppendRequest {
  return !(admitted instanceof SluiceError);
}

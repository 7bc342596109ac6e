import type {
  Granted,
  Position,
  TopicPosition,
  Subscription as WireSubscription,
} from '../../protocol/frames.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';
import type { ClientError } from '../client-error.ts';
import { Backoff } from '../connection/backoff.ts';
import type { Emitter } from '../emitter.ts';
import type { Runtime } from '../runtime.ts';
import { beginFeed, placeOf } from '../subscriptions/extras/feed-frames.ts';
import { Feed } from '../subscriptions/feed.ts';
import { positionsMax } from '../subscriptions/positions-max.ts';
import { recoveryIntervalMinMs } from '../subscriptions/recovery-interval.ts';
import type { SubscribeOptions } from '../subscriptions/subscribe-options.ts';
import type { FeedEvents, Gap, SubscriptionState } from '../subscriptions/subscription.ts';
import { Timer } from '../timer.ts';
import type { JsonPublication } from './codec.ts';

export type JsonMap<T = unknown> = ReadonlyMap<string, JsonPublication<T>>;

/** `SubscriptionEvents` of the full client describes them. */
export interface JsonSubscriptionEvents<T> {
  publication: [publication: JsonPublication<T>];
  map: [entries: JsonMap<T>, topic: string];
  gap: [gap: Gap];
  recovered: [at: TopicPosition];
  reset: [at: TopicPosition, previous: Position];
  state: [state: SubscriptionState];
}

export type FeedOptions = Omit<SubscribeOptions, 'presence' | 'keys'>;

/** If a pattern has more topics, the stream topics that have been quiet for `quietMs` are forgotten. */
const topicsMax = 10_000;
/** Longer than the gateway holds back anything that its cursor does not cover yet. */
const quietMs = 60_000;

/**
 * One subscription on the wire, shared by its holders. Its states: pending → live ⇄ lagging → pending …, also refused,
 * and closed at last.
 */
export class JsonFeed extends Feed<JsonPublication> {
  readonly selection: WireSubscription;
  readonly backoff: Backoff;
  /** The number of its holders. */
  holders = 0;
  /** Its number in the gateway's frames; 0: none. */
  view = 0;
  /** A subscribe command was sent and has no reply. */
  isAsked = false;
  /** Subscribes again when it fires. */
  readonly retry: Timer;
  /** It is an inbox, whose publications the gateway wants acknowledged, and a listener has heard all of them. */
  isInbox = false;
  /** Acknowledges them when it fires. */
  readonly acking: Timer;
  /** When it was, or will be, subscribed again to recover, on the monotonic clock. */
  #recoveredAtMs = -recoveryIntervalMinMs;
  #cursor: string | undefined;
  /** Where the gateway was asked to begin last: the positions, and whether by a pattern's cursor. */
  #starts: readonly TopicPosition[] = [];
  #isByCursor = false;
  /** A pattern's topics that lack something which the cursor may count as received. */
  readonly #suspects = new Set<string>();
  /** The topics with a batch since quiet ones were forgotten last. */
  readonly #heard = new Set<string>();
  /** When quiet topics are forgotten next, on the monotonic clock. */
  #keepsUntilMs = 0;
  readonly #runtime: Runtime;

  /** `selection`: the subscription without its start. */
  constructor(
    selection: WireSubscription,
    options: FeedOptions,
    events: Emitter<FeedEvents<JsonPublication>>,
    runtime: Runtime,
  ) {
    super(selection.topic, options, events);
    this.selection = selection;
    this.retry = new Timer(runtime);
    this.acking = new Timer(runtime);
    this.backoff = new Backoff({}, runtime);
    this.#cursor = options.cursor;
    this.#runtime = runtime;
  }

  /** No listener to its only holder has heard a publication. */
  unheard(): void {
    this.isInbox &&= this.holders > 1;
  }

  /**
   * Returns the subscription to send. A pattern without a cursor names its topics also where it can't say how far it
   * is: the gateway would take it for a new one, and begin topics that are new at their end.
   */
  toAsked(): WireSubscription {
    this.isAsked = true;
    const { isPattern, selection } = this;
    const cursor = this.#cursor;
    const isByCursor = isPattern && cursor !== undefined;
    this.#isByCursor = isByCursor;
    const starts = [...(isByCursor ? this.#suspects : this.topics.keys())].flatMap((topic) => {
      const { awaitsSnapshot, epoch = '', offset = 0 } = this.topics.get(topic) ?? {};
      return awaitsSnapshot && !isPattern ? [] : { topic, epoch: awaitsSnapshot ? '' : epoch, offset };
    });
    this.#starts = starts.slice(0, positionsMax);
    if (!starts[0]) return isByCursor ? { ...selection, cursor } : { ...selection, last: this.options.last };
    if (isPattern) return { ...selection, cursor, positions: this.#starts };
    const { epoch, offset } = starts[0];
    return { ...selection, cursor, since: { epoch, offset } };
  }

  toLive(result: Granted): void {
    this.view = result.view;
    this.isAsked = false;
    this.isInbox = Boolean(result.inbox);
    this.backoff.reset();
    this.#cursor = result.cursor ?? this.#cursor;
    beginFeed(this, result, this.#starts, this.#isByCursor);
    // By positions alone: other topics may have come and gone.
    if (this.isPattern && !this.#isByCursor && result.recovered === false)
      this.emitter.emit('gap', { topic: this.topic, epoch: '' });
  }

  /** To be subscribed again. Returns after how long: batches that never fit must not make a storm. */
  toRecovering(): number {
    const nowMs = this.#runtime.monotonicMs();
    this.#recoveredAtMs = Math.max(nowMs, this.#recoveredAtMs + recoveryIntervalMinMs);
    this.toOff('pending');
    return this.#recoveredAtMs - nowMs;
  }

  /** There is no view, and no retry planned. Positions stay. `pending`: to be subscribed again. */
  toOff(state: 'pending' | 'refused' | 'closed', error?: ClientError): void {
    this.view = 0;
    this.isAsked = false;
    this.retry.stop();
    this.enter(state, error);
  }

  /** Returns false if something is missing before the batch: then subscribe again. */
  batch({ topic = this.topic, upto, cursor, ...batch }: ServerKinds['batch']): boolean {
    const at = placeOf(this, topic, batch);
    this.#heard.add(topic);
    if (batch.after > at.offset) {
      this.#suspects.add(topic);
      return false;
    }
    const publications = batch.publications as unknown as JsonPublication[];
    const whole = publications.map((publication) => ({ ...publication, topic }));
    if (upto > at.offset) this.take(topic, at, whole, upto, { view: batch.view, epoch: at.epoch });
    this.isInbox &&= this.emitter.hears('publication');
    this.advance(cursor);
    return true;
  }

  /** Everything up to this cursor has come. Topics that were quiet for long will not repeat, and need no position. */
  advance(cursor: string | undefined): void {
    if (cursor === undefined) return;
    this.#cursor = cursor;
    this.#suspects.clear();
    const nowMs = this.#runtime.monotonicMs();
    if (this.topics.size <= topicsMax || nowMs < this.#keepsUntilMs) return;
    for (const [topic, { map }] of this.topics)
      if (!map && !this.#heard.has(topic)) this.topics.delete(topic);
    this.#heard.clear();
    this.#keepsUntilMs = nowMs + quietMs + 2 * (this.options.intervalMs ?? 0);
  }
}

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
import { Feed, minRecoveryIntervalMs } from '../subscriptions/feed.ts';
import { positionsMax } from '../subscriptions/positions-max.ts';
import type { SubscribeOptions } from '../subscriptions/subscribe-options.ts';
import type { FeedEvents, Gap, SubscriptionState } from '../subscriptions/subscription.ts';
import { Timer } from '../timer.ts';
import type { JsonPublication } from './codec.ts';

export type JsonMap<T = unknown> = ReadonlyMap<string, JsonPublication<T>>;

/** What they mean: see `SubscriptionEvents` of the full client. */
export interface JsonSubscriptionEvents<T> {
  publication: [publication: JsonPublication<T>];
  map: [entries: JsonMap<T>, topic: string];
  gap: [gap: Gap];
  recovered: [at: TopicPosition];
  reset: [at: TopicPosition, previous: Position];
  state: [state: SubscriptionState];
}

export type FeedOptions = Omit<SubscribeOptions, 'presence' | 'keys'>;

/** Of a pattern: above this number, stream topics that have been quiet for so long are forgotten. */
const topicsMax = 10_000;
/** Longer than the gateway keeps anything back that its cursor does not cover yet. */
const quietMs = 60_000;

/**
 * One subscription on the wire, for all that hold it.
 *
 * pending → live ⇄ lagging → pending …; refused; closed at last.
 */
export class JsonFeed extends Feed<JsonPublication> {
  readonly selection: WireSubscription;
  readonly backoff: Backoff;
  /** How many hold it. */
  holders = 0;
  /** The number by which frames name it; 0: none. */
  view = 0;
  /** A subscribe command is out. */
  isAsked = false;
  /** It is asked for again when this fires. */
  readonly retry: Timer;
  recoveredAtMs = -minRecoveryIntervalMs;
  /** The gateway wants to know what listeners have had, and nothing came that none has heard. */
  isInbox = false;
  /** Up to where that is, is told when this fires. */
  readonly acking: Timer;
  #cursor: string | undefined;
  /** The positions that were asked for last, and whether a pattern's cursor was. */
  #starts: readonly TopicPosition[] = [];
  #isByCursor = false;
  /** A pattern's topics of which something is missing that the cursor may count as received. */
  readonly #suspects = new Set<string>();
  /** Topics that were heard of since topics were looked through last, */
  readonly #heard = new Set<string>();
  /** and when that is done again, on the monotonic clock. */
  #keepsUntilMs = 0;
  readonly #runtime: Runtime;

  /** `selection`: what it asks for, but for where it begins. */
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
    this.backoff = new Backoff({}, () => runtime.random());
    this.#cursor = options.cursor;
    this.#runtime = runtime;
  }

  /** Returns what to ask the gateway for. */
  toAsked(): WireSubscription {
    this.isAsked = true;
    const { isPattern, selection } = this;
    const { last } = this.options;
    const cursor = this.#cursor;
    const isByCursor = isPattern && cursor !== undefined;
    this.#isByCursor = isByCursor;
    const starts = [...(isByCursor ? this.#suspects : this.topics.keys())].flatMap((topic) => {
      const { awaitsSnapshot, epoch = '', offset = 0 } = this.topics.get(topic) ?? {};
      return awaitsSnapshot && !isByCursor ? [] : { topic, epoch: awaitsSnapshot ? '' : epoch, offset };
    });
    this.#starts = starts.slice(0, positionsMax);
    const [start] = starts;
    if (!start) return { ...selection, ...(isByCursor ? { cursor } : { last }) };
    if (isPattern) return { ...selection, cursor, positions: this.#starts };
    const { epoch, offset } = start;
    return { ...selection, cursor, since: { epoch, offset } };
  }

  toLive(result: Granted): void {
    this.view = result.view;
    this.isAsked = false;
    this.isInbox = result.inbox === true;
    this.backoff.reset();
    this.#cursor = result.cursor ?? this.#cursor;
    beginFeed(this, result, this.#starts, this.#isByCursor);
  }

  /** The view is gone, or never was. Positions stay. `pending`: it is to be asked for. */
  toOff(state: 'pending' | 'refused' | 'closed', error?: ClientError): void {
    this.view = 0;
    this.isAsked = false;
    this.enter(state, error);
  }

  /** Returns false when something is missing before the batch: then ask again. */
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
    this.isInbox &&= this.events.hears('publication');
    this.advance(cursor);
    return true;
  }

  /** Everything up to this cursor has come. What came long before it will not come again, and needs no position. */
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

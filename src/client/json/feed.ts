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
import type { TimerHandle } from '../runtime.ts';
import { Feed, minRecoveryIntervalMs, positionsMax } from '../subscriptions/feed.ts';
import type { SubscribeOptions } from '../subscriptions/subscribe-options.ts';
import type { FeedEvents, Gap, SubscriptionState } from '../subscriptions/subscription.ts';
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

/**
 * One subscription on the wire, for all that hold it.
 *
 * pending → live ⇄ lagging → pending …; refused; closed at last.
 */
export class JsonFeed extends Feed<JsonPublication> {
  readonly options: FeedOptions;
  readonly backoff: Backoff;
  /** How many hold it. */
  holders = 0;
  /** The number by which frames name it; 0: none. */
  view = 0;
  /** A subscribe command is out. */
  isAsked = false;
  /** It is asked for again when this fires; 0: no timer. */
  retry: TimerHandle = 0;
  recoveredAtMs = -minRecoveryIntervalMs;
  #cursor: string | undefined;
  /** The positions and the cursor that were asked for last. */
  #starts: readonly TopicPosition[] = [];
  #askedCursor: string | undefined;
  /** A pattern's topic of which something is missing that the cursor may count as received. */
  #suspect: string | undefined;

  constructor(
    topic: string,
    options: FeedOptions,
    events: Emitter<FeedEvents<JsonPublication>>,
    random: () => number,
  ) {
    super(topic, options.since, events);
    this.options = options;
    this.backoff = new Backoff({}, random);
    this.#cursor = options.cursor;
  }

  /** Returns what to ask the gateway for. */
  toAsked(): WireSubscription {
    this.isAsked = true;
    const { topic, isPattern } = this;
    const { filter, intervalMs, conflate, last } = this.options;
    const selection = { topic, filter, intervalMs, conflate };
    const known = [...this.topics].filter(([, { awaitsSnapshot }]) => !awaitsSnapshot);
    const starts = known.map(([name, { epoch, offset }]) => ({ topic: name, epoch, offset }));
    const cursor = this.#suspect === undefined ? this.#cursor : undefined;
    this.#starts = [];
    this.#askedCursor = isPattern ? cursor : undefined;
    if (this.#askedCursor !== undefined) return { ...selection, cursor };
    if (isPattern && (this.wasLive || starts.length > 0)) {
      // Of topics that are not listed the gateway sends all that it has.
      starts.sort((a, b) => Number(b.topic === this.#suspect) - Number(a.topic === this.#suspect));
      this.#starts = starts.slice(0, positionsMax);
      const nowhere = { topic: topic.slice(0, -1) || 'any', epoch: '', offset: 0 };
      return { ...selection, positions: starts.length > 0 ? this.#starts : [nowhere] };
    }
    const [start] = starts;
    if (!start) return { ...selection, last };
    this.#starts = starts;
    return { ...selection, since: { epoch: start.epoch, offset: start.offset }, cursor };
  }

  toLive(result: Granted): void {
    const asked = this.#askedCursor;
    this.view = result.view;
    this.isAsked = false;
    this.backoff.reset();
    this.#cursor = result.cursor ?? asked ?? (this.isPattern ? undefined : this.#cursor);
    this.begin(result, this.#starts, asked !== undefined);
  }

  /** The view is gone, or never was. Positions stay. `pending`: it is to be asked for. */
  toOff(state: 'pending' | 'refused' | 'closed', error?: ClientError): void {
    this.view = 0;
    this.isAsked = false;
    this.enter(state, error);
  }

  /** Returns false when something is missing before the batch: then ask again. */
  batch({ topic = this.topic, upto, ...batch }: ServerKinds['batch']): boolean {
    const at = this.place(topic, batch);
    if (batch.after > at.offset) {
      this.#suspect = topic;
      return false;
    }
    const publications = batch.publications as unknown as JsonPublication[];
    const whole = publications.map((publication) => ({ ...publication, topic }));
    if (upto > at.offset) this.take(topic, at, whole, upto, { view: batch.view, epoch: at.epoch });
    return true;
  }

  override caughtUp(frame: ServerKinds['caughtUp']): void {
    if (frame.cursor !== undefined) {
      this.#cursor = frame.cursor;
      this.#suspect = undefined;
    }
    super.caughtUp(frame);
  }
}

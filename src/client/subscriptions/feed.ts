import type { Position, TopicPosition } from '../../protocol/frames.ts';
import type { ClientError } from '../client-error.ts';
import type { Emitter } from '../emitter.ts';
import type { Entry, LiveMap } from './live-map.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { FeedEvents, PublicationMeta, SubscriptionState } from './subscription.ts';

/** A publication, as far as a feed looks at it. */
export interface FeedPublication extends Entry {
  readonly offset: number;
  /** For each receiver its own; absent: they share it. */
  copy?(): this;
}

/** What is known of a topic. */
export interface Known<P extends FeedPublication> {
  epoch: string;
  /** Up to where everything has come, or begins to come again. */
  offset: number;
  /** Where more than that was delivered before: up to here. */
  seen?: number;
  /** Of a state topic, from when it is known to be one. */
  map?: LiveMap<P>;
  /** A snapshot is to come: the position only serves to judge batches. */
  awaitsSnapshot?: boolean;
}

/** What a feed keeps beside where it is, if it is a pattern, has keys, or begins where it wants to. */
export interface FeedExtras<P extends FeedPublication> {
  /** Topics where it is to begin before what it has seen nothing of: by `last`. */
  readonly wishes: ReadonlySet<string>;
  entries(topic: string): ReadonlyMap<string, P> | undefined;
  /** A topic is heard of. Returns what is known of it then. */
  hears(topic: string, at: Known<P>): Known<P>;
  /** All values of a topic's view have come, or are to come. Returns whether those of all its keys have. */
  completes(known: Known<P>, isComplete: boolean): boolean;
}

export const minRecoveryIntervalMs = 1_000;

/**
 * What one subscription of the application gets: where it is, and delivery. Delivers each publication at most once, in
 * order. What the gateway tells beside publications is brought to it by `extras/feed-frames.ts`, which names what is
 * lost.
 */
export class Feed<P extends FeedPublication> {
  readonly topic: string;
  readonly isPattern: boolean;
  options: SubscribeOptions;
  readonly events: Emitter<FeedEvents<P>>;
  extras: FeedExtras<P> | undefined;
  state: SubscriptionState = 'pending';
  error: ClientError | undefined;
  /** From then on it can miss something. */
  wasLive = false;
  /** One, or those of a pattern that it has heard of. */
  readonly topics = new Map<string, Known<P>>();
  /**
   * While a pattern continues by its cursor: whether nothing was lost as far as that is known. Losses are named one by
   * one until the catch-up ends; only then is it known whether there was none.
   */
  isWhole: boolean | undefined;

  constructor(topic: string, options: SubscribeOptions, events: Emitter<FeedEvents<P>>) {
    const starts = [options.since ?? []].flat() as readonly (Position & Partial<TopicPosition>)[];
    this.topic = topic;
    this.isPattern = topic.endsWith('*');
    this.options = options;
    this.events = events;
    for (const { topic: name = topic, epoch, offset } of starts) this.topics.set(name, { epoch, offset });
  }

  at(topic: string): Position | undefined {
    const known = this.extras?.wishes.has(topic) ? undefined : this.topics.get(topic);
    return known && { epoch: known.epoch, offset: Math.max(known.offset, known.seen ?? 0) };
  }

  entries(topic: string): ReadonlyMap<string, P> {
    return this.extras?.entries(topic) ?? this.topics.get(topic)?.map?.entries ?? none;
  }

  enter(state: SubscriptionState, error?: ClientError): void {
    this.error = error;
    if (state === 'live') this.wasLive = true;
    if (state === this.state) return;
    this.state = state;
    this.events.emit('state', state);
  }

  stand(topic: string, at: Known<P>): Known<P> {
    const known = Object.assign(this.topics.get(topic) ?? {}, this.extras?.hears(topic, at) ?? at);
    this.topics.set(topic, known);
    return known;
  }

  /** `at`: where it is. Takes the publications after it; then the position is `upto`. */
  take(topic: string, at: Known<P>, publications: readonly P[], upto: number, meta: PublicationMeta): void {
    const { offset: from } = at;
    const fresh = publications.filter(({ offset }) => offset > from);
    const known = this.stand(topic, at);
    known.map?.apply(fresh);
    for (const publication of fresh) {
      if (this.state === 'closed') return;
      if (!(publication.offset <= (known.seen ?? 0)) && this.events.hears('publication'))
        this.events.emit('publication', publication.copy?.() ?? publication, meta);
      known.offset = publication.offset;
    }
    known.offset = upto;
    if (fresh.length > 0) this.tellMap(topic, known.map);
  }

  /** Whether all values of a state topic have come. */
  complete(known: Known<P>, isComplete: boolean): void {
    known.awaitsSnapshot = !(this.extras?.completes(known, isComplete) ?? isComplete);
  }

  /** Everything of a state topic. */
  show(at: TopicPosition, map: LiveMap<P>): void {
    this.events.emit('snapshot', map.entries, at);
    this.tellMap(at.topic, map);
  }

  /** A map that was not handed out needn't be copied at the next change. */
  tellMap(topic: string, map: LiveMap<P> | undefined): void {
    if (map && this.events.hears('map')) this.events.emit('map', map.entries, topic);
  }
}

const none = new Map<string, never>();

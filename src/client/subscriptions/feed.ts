import type { Position, TopicPosition } from '../../protocol/frames.ts';
import type { ClientError } from '../client-error.ts';
import type { Emitter } from '../emitter.ts';
import type { Entry, LiveMap } from './live-map.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { FeedEvents, PublicationMeta, SubscriptionState } from './subscription.ts';

/** What a feed reads of a publication. */
export interface FeedPublication extends Entry {
  readonly offset: number;
  /** Makes a copy for one receiver; absent: receivers share the publication. */
  copy?(): this;
}

/** What a feed knows of a topic. */
export interface FeedTopic<P extends FeedPublication> {
  epoch: string;
  /** Everything up to here has come. */
  offset: number;
  /** Delivered up to here. Larger than `offset` while publications come again, smaller while a snapshot is awaited. */
  seen?: number;
  /** By epoch: delivered up to here when it moved last. A gateway that lags may go on in an earlier numbering. */
  had?: Record<string, number>;
  /** Present once the topic is known to have the mode `state`. */
  map?: LiveMap<P>;
  /** A snapshot will follow. Until then the position only serves to check batches for gaps. */
  awaitsSnapshot?: boolean;
}

/** What else a feed keeps if it is a pattern, has keys, or has a start of its own (`since`, `last`, `cursor`). */
export interface FeedExtras<P extends FeedPublication> {
  /** Topics that begin with the `last` N publications before this offset, of which nothing has come yet. */
  readonly wishes: ReadonlyMap<string, number>;
  /** State topics of a pattern as another feed knew them, until something comes for this one. */
  readonly inherited: ReadonlyMap<string, FeedTopic<P>>;
  entries(topic: string): ReadonlyMap<string, P> | undefined;
  /** Something has come for the topic. Returns what is known of it then. */
  hears(topic: string, at: FeedTopic<P>): FeedTopic<P>;
  /** `isComplete`: all values of the topic's view have come. Returns whether those of all wanted keys have. */
  completes(known: FeedTopic<P>, isComplete: boolean): boolean;
}

/**
 * The position and the delivery of one subscription of the application. Delivers each publication at most once, in
 * order. `extras/feed-frames.ts` applies the frames that hold no publications, and names losses.
 */
export class Feed<P extends FeedPublication> {
  readonly topic: string;
  readonly isPattern: boolean;
  options: SubscribeOptions;
  readonly emitter: Emitter<FeedEvents<P>>;
  extras: FeedExtras<P> | undefined;
  state: SubscriptionState = 'pending';
  error: ClientError | undefined;
  /** Whether it was live before, so that it can have missed something. */
  wasLive = false;
  /** Its topic, or those of a pattern that it knows. */
  readonly topics = new Map<string, FeedTopic<P>>();
  constructor(topic: string, options: SubscribeOptions, emitter: Emitter<FeedEvents<P>>) {
    const starts = [options.since ?? []].flat() as readonly (Position & Partial<TopicPosition>)[];
    this.topic = topic;
    this.isPattern = topic.endsWith('*');
    this.options = options;
    this.emitter = emitter;
    for (const { topic: name = topic, epoch, offset } of starts) this.topics.set(name, { epoch, offset });
  }

  /** Vue then keeps it as it is: through a proxy of Vue private fields can't be read. */
  protected get __v_skip(): true {
    return true;
  }

  at(topic: string): Position | undefined {
    const known = this.extras?.wishes.has(topic) ? undefined : this.topics.get(topic);
    return known && reached(known);
  }

  entries(topic: string): ReadonlyMap<string, P> {
    return this.extras?.entries(topic) ?? this.topics.get(topic)?.map?.entries ?? none;
  }

  enter(state: SubscriptionState, error?: ClientError): void {
    this.error = error;
    if (state === 'live') this.wasLive = true;
    if (state === this.state) return;
    this.state = state;
    this.emitter.emit('state', state);
  }

  /** Moves to a position. What was delivered before stays known. */
  stand(topic: string, at: FeedTopic<P>): FeedTopic<P> {
    const known = this.topics.get(topic) ?? { epoch: '', offset: 0 };
    const { had = {} } = known;
    had[known.epoch] = reached(known).offset;
    known.seen = had[at.epoch];
    // More numberings than gateways that lag go back by.
    for (const oldest of Object.keys(had).slice(0, -8)) delete had[oldest];
    Object.assign(known, { had }, this.extras?.hears(topic, at) ?? at);
    this.topics.set(topic, known);
    return known;
  }

  /** Delivers the publications after the position `at`, and moves the position to `upto`. */
  take(
    topic: string,
    at: FeedTopic<P>,
    publications: readonly P[],
    upto: number,
    meta: PublicationMeta,
  ): void {
    const fresh = publications.filter(({ offset }) => offset > at.offset);
    const known = this.stand(topic, at);
    known.map?.apply(fresh);
    for (const publication of fresh) {
      if (this.state === 'closed') return;
      // Before the listeners run: one that stores the position has had this publication.
      known.offset = publication.offset;
      if (known.offset <= (known.seen ?? 0)) continue;
      known.seen = known.offset;
      if (this.emitter.hears('publication'))
        this.emitter.emit('publication', publication.copy?.() ?? publication, meta);
    }
    known.offset = upto;
    if (fresh.length > 0) this.tellMap(topic, known.map);
  }

  /** Reads the map only for listeners: a map that was not read need not be copied at the next change. */
  tellMap(topic: string, map: LiveMap<P> | undefined): void {
    if (map && this.emitter.hears('map')) this.emitter.emit('map', map.entries, topic);
  }
}

const none = new Map<string, never>();

/** Everything up to here was delivered. */
function reached({ epoch, offset, seen = 0, awaitsSnapshot }: FeedTopic<FeedPublication>): Position {
  return { epoch, offset: awaitsSnapshot ? seen : Math.max(offset, seen) };
}

import type { Granted, TopicPosition } from '../../protocol/frames.ts';
import type { ServerKinds } from '../../protocol/server-frames.ts';
import { type ClientError, localError } from '../client-error.ts';
import { Emitter } from '../emitter.ts';
import type { ReceivedPublication } from '../publication.ts';
import { otherKeys } from '../requests.ts';
import { type Code, extras } from './extras.ts';
import { Feed, type Known } from './feed.ts';
import type { Member, MemberExtras } from './member.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { FeedEvents, StateMap, Subscription, SubscriptionEvents } from './subscription.ts';
import type { Wire } from './wire.ts';

/** What a subscription needs from `Subscriptions`. */
export interface SubscriptionHome {
  remove(subscription: LocalSubscription): void;
  /** Its keys have changed. */
  keysChanged(subscription: LocalSubscription): void;
  /** Errors that no listener of the subscription heard, and listeners that threw. */
  report(error: ClientError): void;
}

/** A subscription of this client's application. Equal ones share one subscription on the wire. */
export class LocalSubscription<T = unknown>
  extends Feed<ReceivedPublication>
  implements Subscription<T>, Member
{
  declare extras: MemberExtras | undefined;
  /** Undefined: it has ended. */
  wire: Wire | undefined;
  isUnserved = false;
  isHeard = (): boolean => this.events.hears('publication');
  readonly #home: SubscriptionHome;

  constructor(topic: string, options: SubscribeOptions, home: SubscriptionHome) {
    const events = new Emitter<FeedEvents<ReceivedPublication>>((fault, event) =>
      home.report(localError('listener_failed', `listener to ${topic} ${String(event)} failed`, fault)),
    );
    super(topic, options, events);
    this.#home = home;
  }

  get position() {
    return this.at(this.topic);
  }

  get positions(): TopicPosition[] {
    return [...this.topics.keys()].flatMap((topic) => {
      const at = this.at(topic);
      return at ? [{ topic, ...at }] : [];
    });
  }

  get cursor(): string | undefined {
    return this.isUnserved ? this.options.cursor : this.wire?.cursor;
  }

  current(topic = this.topic): StateMap<T> {
    return this.entries(topic) as StateMap<T>;
  }

  setKeys(keys: readonly string[]): void {
    this.options = otherKeys(this.topic, this.options, keys);
    this.#home.keysChanged(this as LocalSubscription);
  }

  on<K extends keyof SubscriptionEvents<T>>(
    event: K,
    listener: (...args: SubscriptionEvents<T>[K]) => void,
  ): () => void {
    return (this.events as Emitter<SubscriptionEvents<T>>).on(event, listener);
  }

  off<K extends keyof SubscriptionEvents<T>>(
    event: K,
    listener: (...args: SubscriptionEvents<T>[K]) => void,
  ): void {
    (this.events as Emitter<SubscriptionEvents<T>>).off(event, listener);
  }

  unsubscribe(): void {
    if (this.state === 'closed') return;
    this.enter('closed');
    this.events.clear();
    this.#home.remove(this as LocalSubscription);
  }

  // -- Member -----------------------------------------------------------------------------------------

  refuse(error: ClientError): void {
    this.enter('refused', error);
    if (!this.events.emit('error', error)) this.#home.report(error);
  }

  joins(wire: Wire, other: Member | undefined): void {
    this.wire = wire;
    if (this.extras?.joins(wire.cursor, other) || !other) return;
    this.topics.clear();
    for (const [topic, known] of other.copies())
      this.stand(topic, this.extras?.begins(topic, known, other.topics.size) ?? known);
  }

  copies(): [topic: string, known: Known<ReceivedPublication>][] {
    return [...this.topics].map(([topic, known]) => [
      topic,
      { ...known, map: known.map && (extras.loaded as Code).copyOf(known.map) },
    ]);
  }

  begin(granted: Granted, starts: readonly TopicPosition[], byCursor = false): void {
    if (extras.loaded) extras.loaded.beginFeed(this, granted, starts, byCursor);
    else {
      // Nothing was lost, and the topic is a stream: otherwise the reply would have waited for the code.
      const { topic, epoch, offset, recovered } = granted;
      const own = this.at(topic);
      this.stand(topic, { epoch, offset, seen: own?.epoch === epoch ? own.offset : 0 });
      if (own && recovered) this.events.emit('recovered', { topic, epoch, offset });
      this.enter('live');
    }
    this.extras?.wishes.clear();
  }

  reset(frame: ServerKinds['reset']): void {
    const { topic, epoch, offset } = frame;
    const previous = this.at(topic);
    if (extras.loaded) extras.loaded.resetFeed(this, frame);
    else if (previous?.epoch !== epoch) {
      this.stand(topic, { epoch, offset, seen: 0 });
      if (previous?.epoch) this.events.emit('reset', { topic, epoch, offset }, previous);
    }
  }

  place(topic: string, batch: { readonly epoch?: string; readonly after: number }) {
    const { loaded } = extras;
    const at = loaded?.placeOf(this, topic, batch) ??
      this.topics.get(topic) ?? { epoch: '', offset: batch.after };
    return this.extras?.placed(topic, at) ?? at;
  }
}

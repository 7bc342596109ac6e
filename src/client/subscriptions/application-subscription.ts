import type { Position } from '../../protocol/frames.ts';
import { type ClientError, localError } from '../client-error.ts';
import { Arrivals } from '../connection/arrivals.ts';
import { Emitter } from '../emitter.ts';
import type { ReceivedPublication } from '../publication.ts';
import { Feed } from './feed.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { FeedEvents, StateMap, SubscriptionEvents, SubscriptionState } from './subscription.ts';

/** What a subscription needs from its client. */
export interface SubscriptionHome {
  /** Why the client is closed. */
  readonly closedBy: ClientError | undefined;
  /** Refusals that no listener of the subscription has heard, and listeners that threw. */
  report(error: ClientError): void;
}

/** The part of `Subscription` that all clients share. */
export class ApplicationSubscription<T> extends Feed<ReceivedPublication> {
  readonly #established = new Arrivals<void>();
  protected readonly home: SubscriptionHome;

  constructor(topic: string, options: SubscribeOptions, home: SubscriptionHome) {
    const events = new Emitter<FeedEvents<ReceivedPublication>>((fault) =>
      home.report(localError('listener_failed', `listener to ${topic}`, fault)),
    );
    super(topic, options, events);
    this.home = home;
  }

  get position(): Position | undefined {
    return this.at(this.topic);
  }

  get ready(): Promise<void> {
    const ready = this.#established.add();
    this.settle();
    return ready;
  }

  override enter(state: SubscriptionState, error?: ClientError): void {
    super.enter(state, error);
    this.settle();
  }

  /** Settles the promises of `ready`, as far as the states of subscription and client allow. */
  settle(): void {
    const { state } = this;
    const ended = state === 'closed' ? localError('closed') : undefined;
    const error = state === 'pending' ? this.home.closedBy : (this.error ?? ended);
    if (error) this.#established.failed(error);
    else if (state !== 'pending') this.#established.arrived();
  }

  current(topic = this.topic): StateMap<T> {
    return this.entries(topic) as StateMap<T>;
  }

  on<K extends keyof SubscriptionEvents<T>>(
    event: K,
    listener: (...args: SubscriptionEvents<T>[K]) => void,
  ): () => void {
    return (this.emitter as Emitter<SubscriptionEvents<T>>).on(event, listener);
  }

  off<K extends keyof SubscriptionEvents<T>>(
    event: K,
    listener: (...args: SubscriptionEvents<T>[K]) => void,
  ): void {
    (this.emitter as Emitter<SubscriptionEvents<T>>).off(event, listener);
  }

  refuse(error: ClientError): void {
    this.enter('refused', error);
    if (!this.emitter.emit('error', error)) this.home.report(error);
  }
}

import type { Position } from '../../protocol/frames.ts';
import { type ClientError, localError } from '../client-error.ts';
import { Emitter } from '../emitter.ts';
import type { ReceivedPublication } from '../publication.ts';
import { Feed } from './feed.ts';
import type { SubscribeOptions } from './subscribe-options.ts';
import type { FeedEvents, StateMap, SubscriptionEvents } from './subscription.ts';

/** The part of `Subscription` that all clients share. */
export class ApplicationSubscription<T> extends Feed<ReceivedPublication> {
  readonly #report: (error: ClientError) => void;

  /** `report`: called with refusals that no listener of the subscription has heard, and for listeners that threw. */
  constructor(topic: string, options: SubscribeOptions, report: (error: ClientError) => void) {
    const events = new Emitter<FeedEvents<ReceivedPublication>>((fault) =>
      report(localError('listener_failed', `listener to ${topic} failed`, fault)),
    );
    super(topic, options, events);
    this.#report = report;
  }

  get position(): Position | undefined {
    return this.at(this.topic);
  }

  get ready(): Promise<void> {
    return this.#established();
  }

  async #established(): Promise<void> {
    while (this.state === 'pending')
      await new Promise<void>((resolve) => {
        const off = this.on('state', () => {
          off();
          resolve();
        });
      });
    if (this.state === 'closed') throw localError('closed');
    if (this.error) throw this.error;
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
    if (!this.emitter.emit('error', error)) this.#report(error);
  }
}

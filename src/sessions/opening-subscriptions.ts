import { whenDone } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import type { SubscribeResult, Subscription } from '../protocol/frames.ts';
import type { Session } from './session.ts';
import type { Subscriber } from './subscribe.ts';
import { Failure, settled } from './task.ts';
import { wireError } from './wire-error.ts';

/** What connections are subscribed to because of their request rather than by a command. */
export class OpeningSubscriptions {
  readonly #subscriber: Subscriber;
  readonly #fault: (error: unknown, session: Session) => void;

  constructor(subscriber: Subscriber, fault: (error: unknown, session: Session) => void) {
    this.#subscriber = subscriber;
    this.#fault = fault;
  }

  /** Subscribes a session to the topic of its path, and tells it, also why it is not. */
  toPath(session: Session, topic: string): void {
    this.#subscribe(session, [{ topic }], (subscribed) => {
      const results =
        subscribed instanceof SluiceError ? [{ topic, error: wireError(subscribed) }] : subscribed;
      session.outbox.sendFrame({ kind: 'subscribed', id: 0, results });
    });
  }

  /** See `Sessions.subscribeStream`. */
  ofStream(
    session: Session,
    subscriptions: readonly Subscription[],
    finish: (results: readonly SubscribeResult[] | SluiceError) => void,
  ): void {
    this.#subscribe(session, subscriptions, finish);
  }

  #subscribe(
    session: Session,
    subscriptions: readonly Subscription[],
    finish: (results: readonly SubscribeResult[] | SluiceError) => void,
  ): void {
    const subscriber = this.#subscriber;
    const subscribe = () =>
      whenDone(subscriber.prepare(session, subscriptions), (prepared) =>
        subscriber.subscribe(session, subscriptions, prepared),
      );
    session.commands.add({
      begin: () => settled(subscribe),
      finish: (subscribed: readonly SubscribeResult[] | Failure) => {
        if (session.closed) return;
        finish(this.#told(session, subscribed));
        session.views.resume();
      },
    });
  }

  #told(
    session: Session,
    subscribed: readonly SubscribeResult[] | Failure,
  ): readonly SubscribeResult[] | SluiceError {
    if (!(subscribed instanceof Failure)) return subscribed;
    const { error } = subscribed;
    if (error instanceof SluiceError) return error;
    this.#fault(error, session);
    return new SluiceError('internal');
  }
}

import { SluiceError } from '../errors.ts';
import type { SubscribeResult, Subscription } from '../protocol/frames.ts';
import type { Prepared } from './preparation.ts';
import type { Session } from './session.ts';
import type { Subscriber } from './subscribe.ts';
import { Failure } from './task.ts';
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
    const subscriptions = [{ topic }];
    const finish = (loaded: Prepared | Failure) => {
      if (session.closed) return;
      const subscribed = this.#resultsOf(session, subscriptions, loaded);
      const results =
        subscribed instanceof SluiceError ? [{ topic, error: wireError(subscribed) }] : subscribed;
      session.outbox.sendFrame({ kind: 'subscribed', id: 0, results });
      session.pump();
    };
    session.commands.add(this.#subscriber.afterLoad(session, subscriptions, 'client', finish));
  }

  /** See `Sessions.subscribeStream`. */
  ofStream(
    session: Session,
    subscriptions: readonly Subscription[],
    finish: (results: readonly SubscribeResult[] | SluiceError) => void,
  ): void {
    const subscribe = (loaded: Prepared | Failure) => {
      if (!session.closed) finish(this.#resultsOf(session, subscriptions, loaded));
    };
    session.commands.add(this.#subscriber.afterLoad(session, subscriptions, 'client', subscribe));
  }

  #resultsOf(
    session: Session,
    subscriptions: readonly Subscription[],
    loaded: Prepared | Failure,
  ): readonly SubscribeResult[] | SluiceError {
    try {
      if (loaded instanceof Failure) throw loaded.error;
      return this.#subscriber.subscribe(session, subscriptions, loaded);
    } catch (error) {
      if (error instanceof SluiceError) return error;
      this.#fault(error, session);
      return new SluiceError('internal');
    }
  }
}

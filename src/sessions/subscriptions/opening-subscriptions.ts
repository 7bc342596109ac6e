import { whenDone } from '../../awaitable.ts';
import { SluiceError } from '../../errors.ts';
import type { SubscribeResult, Subscription } from '../../protocol/frames.ts';
import { Failure, settled } from '../commands/task.ts';
import { wireError } from '../commands/wire-error.ts';
import type { Session } from '../session.ts';
import type { Subscriber } from './subscribe.ts';

export interface OpeningOptions {
  readonly subscriber: Subscriber;
  readonly fault: (error: unknown, session: Session) => void;
  /** Runs a part of what a session asks for, to charge its time to the payer of the session. */
  readonly timed: (session: Session, run: () => void) => void;
}

/** What connections are subscribed to because of their request rather than by a command. */
export class OpeningSubscriptions {
  readonly #options: OpeningOptions;

  constructor(options: OpeningOptions) {
    this.#options = options;
  }

  /** Subscribes a session to the topic of its path, and tells it, also why it is not. */
  toPath(session: Session, topic: string): void {
    const timed = (run: () => void) => this.#options.timed(session, run);
    this.subscribe(session, [{ topic }], timed, (subscribed) => {
      const results =
        subscribed instanceof SluiceError ? [{ topic, error: wireError(subscribed) }] : subscribed;
      session.outbox.sendFrame({ kind: 'subscribed', id: 0, results });
    });
  }

  /** See `Sessions.subscribeStream`. */
  subscribe(
    session: Session,
    subscriptions: readonly Subscription[],
    timed: (run: () => void) => void,
    finish: (results: readonly SubscribeResult[] | SluiceError) => void,
  ): void {
    const { subscriber } = this.#options;
    const subscribe = () =>
      whenDone(subscriber.prepare(session, subscriptions), (prepared) =>
        subscriber.subscribe(session, subscriptions, prepared, timed),
      );
    session.commands.add({
      begin: () => settled(subscribe),
      finish: (subscribed: readonly SubscribeResult[] | Failure) => {
        if (session.isClosed || session.isLeaving) return;
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
    this.#options.fault(error, session);
    return new SluiceError('internal');
  }
}

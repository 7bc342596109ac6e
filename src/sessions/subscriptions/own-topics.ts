import { SluiceError } from '../../errors.ts';
import type { SubscribeResult, Subscription } from '../../protocol/frames.ts';
import { Failure, type Task } from '../commands/task.ts';
import { wireError } from '../commands/wire-error.ts';
import type { Session } from '../session.ts';
import { ownTopicsOf } from './places.ts';
import { type Findings, noFindings } from './preparation.ts';
import type { Subscriber } from './subscribe.ts';

type OwnSubscription = Pick<Subscription, 'topic' | 'cursor'>;

/**
 * Subscribes sessions to their own topics. The client is told which it was subscribed to, and which not. Those that
 * found no place are tried again.
 */
export class OwnTopics {
  readonly #subscriber: Subscriber;
  readonly #fault: (error: unknown, session: Session) => void;
  /** Those that found no place. */
  readonly #lacking = new Map<Session, readonly OwnSubscription[]>();

  constructor(subscriber: Subscriber, fault: (error: unknown, session: Session) => void) {
    this.#subscriber = subscriber;
    this.#fault = fault;
  }

  /** `cursor`: where the client of a stream continues. */
  join(session: Session, cursor?: string): void {
    const joined = targetsOf(session);
    const topics = [...ownTopicsOf(session)].filter((topic) => !joined.has(topic));
    const subscriptions = topics.map((topic) => ({ topic, cursor }));
    this.#lacking.delete(session);
    // A stream is told of these first, and then of what it asked for.
    const load = this.#load(session, subscriptions, (findings) => {
      const results =
        findings instanceof SluiceError
          ? topics.map((topic) => ({ topic, error: wireError(findings) }))
          : this.#subscribe(session, subscriptions, findings);
      session.outbox.sendFrame({ kind: 'subscribed', id: 0, results });
      session.pump();
    });
    if (this.#subscriber.isLoaded(subscriptions)) load.finish(noFindings);
    else session.commands.add(load);
  }

  /** Tries again what found no place. Call it about once a second. */
  retry(): void {
    for (const [session, subscriptions] of [...this.#lacking]) {
      this.#lacking.delete(session);
      const load = this.#load(session, subscriptions, (findings) => {
        if (!(findings instanceof SluiceError)) this.#retry(session, subscriptions, findings);
      });
      // After the commands before it: a stream is to be told first of what it asked for.
      session.commands.add(load);
    }
  }

  /** The session is gone. */
  forget(session: Session): void {
    this.#lacking.delete(session);
  }

  /** The session was told which topics it did not get. Now it is told only which it gets. */
  #retry(session: Session, subscriptions: readonly OwnSubscription[], findings: Findings): void {
    const joined = targetsOf(session);
    const missing = subscriptions.filter(({ topic }) => !joined.has(topic));
    const results = this.#subscribe(session, missing, findings).filter((result) => !('error' in result));
    if (results.length === 0) return;
    session.outbox.push({ kind: 'subscribed', results });
    session.pump();
  }

  #subscribe(
    session: Session,
    subscriptions: readonly OwnSubscription[],
    findings: Findings,
  ): SubscribeResult[] {
    const refused: OwnSubscription[] = [];
    const results = subscriptions.map((each) => {
      const result = this.#subscriber.subscribeAutomatically(session, each, findings);
      if ('error' in result && result.error.retry) refused.push(each);
      return result;
    });
    if (refused.length > 0) this.#lacking.set(session, refused);
    return results;
  }

  /** `run` is given an error that may pass: then the topics are tried again. */
  #load(
    session: Session,
    subscriptions: readonly OwnSubscription[],
    run: (findings: Findings | SluiceError) => void,
  ): Task<Findings | Failure> {
    return this.#subscriber.afterLoad(session, subscriptions, (loaded) => {
      if (session.isClosed) return;
      if (!(loaded instanceof Failure)) this.#guarded(session, () => run(loaded));
      else if (isPassing(loaded.error)) {
        const { error } = loaded;
        this.#lacking.set(session, subscriptions);
        this.#guarded(session, () => run(error));
      } else this.#fault(loaded.error, session);
    });
  }

  /** A fault here must not keep a connection from opening. */
  #guarded(session: Session, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#fault(error, session);
    }
  }
}

function isPassing(error: unknown): error is SluiceError {
  return error instanceof SluiceError && error.retry;
}

const none: ReadonlySet<string> = new Set();

function targetsOf(session: Session): ReadonlySet<string> {
  if (session.views.size === 0) return none;
  return new Set([...session.views.values()].map(({ target }) => target));
}

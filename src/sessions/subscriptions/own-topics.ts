import { userTopicOf } from '../../auth/permissions.ts';
import { SluiceError } from '../../errors.ts';
import type { SubscribeResult } from '../../protocol/frames.ts';
import { broadcastTopic } from '../../topics/topic-name.ts';
import { Failure, type Task } from '../commands/task.ts';
import { wireError } from '../commands/wire-error.ts';
import type { Session } from '../session.ts';
import { nothingToKnow, type PreparedSubscriptions } from './preparation.ts';
import type { Subscriber } from './subscribe.ts';

/**
 * The topics that sessions join without asking: `$all` and, for users, their own. The client is told which it was
 * subscribed to, and which not. Those that found no place are tried again.
 */
export class OwnTopics {
  readonly #subscriber: Subscriber;
  readonly #fault: (error: unknown, session: Session) => void;
  /** Topics that found no place. */
  readonly #lacking = new Map<
    Session,
    { readonly topics: readonly string[]; readonly cursor: string | undefined }
  >();

  constructor(subscriber: Subscriber, fault: (error: unknown, session: Session) => void) {
    this.#subscriber = subscriber;
    this.#fault = fault;
  }

  /** `cursor`: where the client of a stream continues. */
  join(session: Session, cursor?: string): void {
    const { user } = session.identity;
    const own = [broadcastTopic];
    own.push(...(session.peer.joins ?? []), ...(session.identity.joins ?? []));
    const users = user === undefined ? undefined : userTopicOf(user);
    if (users !== undefined) own.push(users);
    const joined = targetsOf(session);
    const topics = [...new Set(own)].filter((topic) => !joined.has(topic));
    this.#lacking.delete(session);
    // A stream is told of these first, and then of what it asked for.
    this.#whenLoaded(session, topics, cursor, (loaded) => {
      const results =
        loaded instanceof SluiceError
          ? topics.map((topic) => ({ topic, error: wireError(loaded) }))
          : this.#subscribe(session, topics, cursor, loaded);
      session.outbox.sendFrame({ kind: 'subscribed', id: 0, results });
      session.pump();
    });
  }

  /** Tries again what found no place. Call it about once a second. */
  retry(): void {
    for (const [session, { topics, cursor }] of [...this.#lacking]) {
      this.#lacking.delete(session);
      const load = this.#load(session, topics, cursor, (loaded) => {
        if (!(loaded instanceof SluiceError)) this.#retry(session, topics, cursor, loaded);
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
  #retry(
    session: Session,
    topics: readonly string[],
    cursor: string | undefined,
    prepared: PreparedSubscriptions,
  ): void {
    const joined = targetsOf(session);
    const missing = topics.filter((topic) => !joined.has(topic));
    const results = this.#subscribe(session, missing, cursor, prepared).filter(
      (result) => !('error' in result),
    );
    if (results.length === 0) return;
    session.outbox.push({ kind: 'subscribed', results });
    session.pump();
  }

  #subscribe(
    session: Session,
    topics: readonly string[],
    cursor: string | undefined,
    prepared: PreparedSubscriptions,
  ): SubscribeResult[] {
    const results = topics.map((topic) =>
      this.#subscriber.subscribeAutomatically(session, { topic, cursor }, prepared),
    );
    const refused = results.filter((result) => 'error' in result && result.error.retry);
    if (refused.length > 0) this.#lacking.set(session, { topics: refused.map(({ topic }) => topic), cursor });
    return results;
  }

  #whenLoaded(
    session: Session,
    topics: readonly string[],
    cursor: string | undefined,
    run: (loaded: PreparedSubscriptions | SluiceError) => void,
  ): void {
    const load = this.#load(session, topics, cursor, run);
    if (this.#subscriber.isLoaded(topics.map((topic) => ({ topic, cursor })))) load.finish(nothingToKnow);
    else session.commands.add(load);
  }

  /** `run` is given an error that may pass: then the topics are tried again. */
  #load(
    session: Session,
    topics: readonly string[],
    cursor: string | undefined,
    run: (loaded: PreparedSubscriptions | SluiceError) => void,
  ): Task<PreparedSubscriptions | Failure> {
    const subscriptions = topics.map((topic) => ({ topic, cursor }));
    return this.#subscriber.afterLoad(session, subscriptions, (loaded) => {
      if (session.isClosed) return;
      if (!(loaded instanceof Failure)) this.#guarded(session, () => run(loaded));
      else if (isPassing(loaded.error)) {
        const { error } = loaded;
        this.#lacking.set(session, { topics, cursor });
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

import type { Identity } from '../../auth/identity.ts';
import type { ReportRefusal } from '../../auth/refusals.ts';
import type { Awaitable } from '../../awaitable.ts';
import { credentialNeeded, type SluiceError } from '../../errors.ts';
import type { Metrics } from '../../metrics.ts';
import type { Limits } from '../../protocol/frames.ts';
import type { Broker } from '../../topics/broker.ts';
import { isUnauthenticated, Unauthenticated } from '../admission/unauthenticated.ts';
import type { Identities } from '../commands/command.ts';
import type { TurnBudget } from '../limits/turn-budget.ts';
import type { Session } from '../session.ts';
import type { ReportEvent } from '../session-events.ts';
import type { OpeningSubscriptions } from '../subscriptions/opening-subscriptions.ts';
import type { OwnTopics } from '../subscriptions/own-topics.ts';
import { UserSessions } from './user-sessions.ts';

export interface SessionIdentitiesOptions {
  readonly broker: Pick<Broker, 'wallMs' | 'degradedBy'>;
  readonly ownTopics: OwnTopics;
  readonly opening: Pick<OpeningSubscriptions, 'toPath'>;
  /** Ends the subscriptions that the session's identity does not permit. */
  readonly endForbidden: (session: Session) => void;
  readonly report: ReportEvent | undefined;
  readonly limits: Limits;
  readonly version: string;
  readonly refused: ReportRefusal;
  readonly metrics: Pick<Metrics, 'authFailuresTotal'>;
  readonly monotonicMs: () => number;
  readonly turnBudget: Pick<TurnBudget, 'each'>;
}

/**
 * Who the sessions are: greets them, gives them the topics of their identity, and ends those that do not authenticate
 * in time.
 */
export class SessionIdentities implements Identities {
  readonly #options: SessionIdentitiesOptions;
  readonly #unauthenticated = new Unauthenticated();
  /** The sessions of each user. */
  readonly users = new UserSessions();

  constructor(options: SessionIdentitiesOptions) {
    this.#options = options;
  }

  get unauthenticatedCount(): number {
    return this.#unauthenticated.size;
  }

  /** Greets a new session. `cursor`: where the client of a stream continues. */
  opened(session: Session, cursor: string | undefined): void {
    const { report, ownTopics, monotonicMs } = this.#options;
    this.users.add(session);
    this.greet(session, 0);
    if (isUnauthenticated(session)) this.#unauthenticated.add(session, monotonicMs());
    else {
      report?.(session, { type: 'connected' });
      ownTopics.join(session, cursor);
    }
  }

  closed(session: Session): void {
    const { report, ownTopics } = this.#options;
    this.users.remove(session);
    const reason = session.endedBy ?? 'client';
    if (!isUnauthenticated(session)) report?.(session, { type: 'disconnected', reason });
    this.#unauthenticated.remove(session);
    ownTopics.forget(session);
    session.peer.seat.leave();
  }

  /** Subscribes a new session to the topic of its path, once it has authenticated, and tells it. */
  subscribeAtOpening(session: Session, topic: string): void {
    if (isUnauthenticated(session)) this.#unauthenticated.subscribeLater(session, topic);
    else this.#options.opening.toPath(session, topic);
  }

  /** Returns true if the session has ended, or ends it now because it sent too much before it authenticated. */
  isIgnored(session: Session, bytes: number): boolean {
    if (!isUnauthenticated(session)) return false;
    if (this.#unauthenticated.received(session, bytes)) this.#endIfUnauthenticated(session);
    return session.endedBy !== undefined;
  }

  /** Ends sessions that did not authenticate in time, and tries again to join topics. Call it about once a second. */
  sweep(): void {
    this.#options.ownTopics.retry();
    const { turnBudget, monotonicMs } = this.#options;
    turnBudget.each(this.#unauthenticated.overdue(monotonicMs()), (session) =>
      this.#endIfUnauthenticated(session),
    );
  }

  // ---- Identities

  greet(session: Session, id: number): void {
    const { broker, version, limits } = this.#options;
    session.outbox.sendFrame({
      kind: 'connected',
      id,
      session: session.id,
      timeMs: broker.wallMs(),
      version,
      user: session.identity.user,
      limits,
      expiresMs: session.identity.expiresAtMs,
      degraded: broker.degradedBy !== undefined || undefined,
    });
  }

  credentialRefused({ peer }: Session, error: SluiceError): void {
    this.#options.metrics.authFailuresTotal.inc({ reason: error.code });
    this.#options.refused('connect', error, { address: peer.address, origin: '' });
  }

  reseat({ peer: { seat, addressKey } }: Session, identity: Identity): Awaitable<SluiceError | undefined> {
    const { user, unauthenticated } = identity;
    return seat.move({ addressKey, user, unauthenticated });
  }

  identified(session: Session, identity: Identity): void {
    // It ended while the token was verified, and has given its places back.
    if (session.isClosed) return;
    const { report, endForbidden, ownTopics } = this.#options;
    const before = session.identity;
    const isNew = before.unauthenticated === true;
    const isOther = identity.user !== before.user;
    this.users.remove(session);
    session.becomes(identity);
    this.users.add(session);
    if (isNew) report?.(session, { type: 'connected' });
    endForbidden(session);
    if (isNew || isOther || identity.joins !== undefined) ownTopics.join(session);
    const topic = this.#unauthenticated.remove(session);
    if (topic !== undefined) this.subscribeAtOpening(session, topic);
  }

  /** An unauthenticated session that is refused for good is ended: it may do nothing else. */
  refusedForGood(session: Session): void {
    this.#endIfUnauthenticated(session);
  }

  #endIfUnauthenticated(session: Session): void {
    if (!isUnauthenticated(session) || session.isClosed || session.endedBy !== undefined) return;
    // A bad credential is counted already.
    if (session.introduction === undefined) this.credentialRefused(session, credentialNeeded());
    session.goAway('unauthorized');
  }
}

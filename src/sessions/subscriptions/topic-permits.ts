import type { Verdict } from '../../auth/credentials.ts';
import type { Identity } from '../../auth/identity.ts';
import { covers, touchesUsers } from '../../auth/permissions.ts';
import type { Awaitable } from '../../awaitable.ts';
import { SluiceError } from '../../errors.ts';
import type { Subscription } from '../../protocol/frames.ts';
import type { Session } from '../session.ts';
import type { SessionView } from './session-view.ts';

/** Verifies topic tokens. */
export interface TopicTokens {
  /** Returns at once if the token is known. Never rejects. */
  identify(token: string): Verdict | Promise<Verdict>;
  /** Why a token that was accepted is no longer valid; undefined: it is. */
  refusal(identity: Identity): SluiceError | undefined;
  /** Milliseconds since 1970, for `expiresAtMs`. */
  wallMs(): number;
}

const noTopicTokens: TopicTokens = {
  identify: () => new SluiceError('unauthorized', 'this gateway takes no tokens'),
  refusal: () => undefined,
  wallMs: () => 0,
};

/** At most this many refused tokens of one command are verified: each costs as much as a good one. */
const refusedTokensMax = 10;

/** A subscription that a topic token permits. */
export interface PermittedSubscription {
  readonly session: Session;
  readonly sessionView: SessionView;
  readonly permit: Identity;
}

/** Why topic tokens are refused, by token. */
export type Refusals = ReadonlyMap<string, SluiceError>;

const noRefusals: Refusals = new Map();

/** The subscriptions that topic tokens permit: which, and for how long. */
export class TopicPermits {
  readonly #tokens: TopicTokens;
  /** Includes subscriptions that have ended since the last sweep. */
  readonly #permitted = new Set<PermittedSubscription>();

  constructor(tokens = noTopicTokens) {
    this.#tokens = tokens;
  }

  /** Verifies the topic tokens of these subscriptions. Returns the refusals by token; accepted ones are remembered. */
  refusals(subscriptions: readonly Subscription[]): Awaitable<Refusals> {
    // So it is nearly always, and each subscribe asks (`bench -- storm`).
    if (subscriptions.every(({ token }) => token === undefined)) return noRefusals;
    const tokens = new Set(subscriptions.flatMap(({ token }) => token ?? []));
    return this.#refusals([...tokens], 0, new Map());
  }

  /**
   * Verifies them one by one, so that it can stop, and in this turn as long as tokens are known or signed by the
   * secret, so that the client is charged for the time.
   */
  #refusals(tokens: readonly string[], from: number, refused: Map<string, SluiceError>): Awaitable<Refusals> {
    for (let i = from; i < tokens.length; i++) {
      const token = tokens[i] as string;
      const verdict = refused.size < refusedTokensMax ? this.#tokens.identify(token) : manyRefused();
      if (verdict instanceof Promise) {
        return verdict.then((late) => {
          if (late instanceof SluiceError) refused.set(token, late);
          return this.#refusals(tokens, i + 1, refused);
        });
      }
      if (verdict instanceof SluiceError) refused.set(token, verdict);
    }
    return refused;
  }

  /** The topic token that lets the session subscribe there. Throws why it does not. Call `began` then. */
  of(session: Session, target: string, token: string): Identity {
    const permit = this.#tokens.identify(token);
    if (permit instanceof SluiceError) throw permit;
    // It was verified a moment ago, but its result has been evicted since.
    if (permit instanceof Promise) throw new SluiceError('rate_limited', undefined, { retryAfterMs: 1000 });
    if (!isOfUser(permit, session)) throw new SluiceError('forbidden', 'the topic token is another user’s');
    // A user's topic is only for that user, whatever a token grants.
    if (permit.grant === undefined || !covers(permit.grant.target, target) || touchesUsers(target))
      throw new SluiceError('forbidden', `the topic token does not cover ${target}`);
    return permit;
  }

  /** A permitted subscription has begun. */
  began(permitted: PermittedSubscription): void {
    this.#permitted.add(permitted);
  }

  /** Ends what topic tokens permitted that have expired or are revoked. Call it about once a second. */
  sweep(): void {
    const tokens = this.#tokens;
    const wallMs = tokens.wallMs();
    for (const permitted of this.#permitted) {
      const { session, sessionView, permit } = permitted;
      const { view } = sessionView;
      if (session.isClosed || session.views.get(view.id) !== sessionView) {
        this.#permitted.delete(permitted);
        continue;
      }
      const isExpired = (permit.expiresAtMs ?? Number.POSITIVE_INFINITY) <= wallMs;
      if (!isExpired && tokens.refusal(permit) === undefined) continue;
      const reason = isExpired ? 'expired' : 'forbidden';
      session.views.remove(sessionView, reason);
      session.outbox.push({ kind: 'unsubscribed', views: [view.id], reason });
      this.#permitted.delete(permitted);
    }
  }
}

function manyRefused(): SluiceError {
  return new SluiceError('unauthorized', `the command has ${refusedTokensMax} topic tokens that are refused`);
}

/** A topic token that names a user is good for that user's sessions only. */
export function isOfUser({ user }: Identity, session: Session): boolean {
  return user === undefined || user === session.identity.user;
}

import type { Identity } from '../auth/identity.ts';
import type { CloseCode } from '../errors.ts';

/** The events of sessions. */
export interface ObservedSession {
  readonly id: string;
  readonly identity: Identity;
  /** The name of its transport. */
  readonly transport: string;
  readonly peer: { readonly address: string };
}

/**
 * Why a subscription ended. `client`: it unsubscribed. `replaced`: by another subscription of the session. `forbidden`:
 * its new credential does not allow it, or its topic token was revoked. `expired`: its topic token has. `refused`: what
 * was asked for with it could not be had. `disconnect`: the session has ended.
 */
export type UnsubscribeReason = 'client' | 'replaced' | 'forbidden' | 'expired' | 'refused' | 'disconnect';

/** Why a session ended: what the gateway itself ended it for, or that the client or the network did. */
export type DisconnectReason = CloseCode | 'client';

/**
 * Hears of what sessions do, in order. Consumer: the sessions, which call it in the middle of their work: a method must
 * not throw, wait, or call the gateway.
 *
 * A session that still has to authenticate counts as connected once it has. Subscriptions that the gateway makes by
 * itself are not reported. Each reported subscription ends once, at the latest before its session does.
 */
export interface SessionEvents {
  connected(session: ObservedSession): void;
  /** `target`: a topic or pattern. */
  subscribed(session: ObservedSession, target: string): void;
  unsubscribed(session: ObservedSession, target: string, reason: UnsubscribeReason): void;
  disconnected(session: ObservedSession, reason: DisconnectReason): void;
}

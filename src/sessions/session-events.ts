import type { Identity } from '../auth/identity.ts';
import type { CloseCode } from '../errors.ts';

/**
 * Why a subscription ended. `client`: it unsubscribed. `replaced`: by another subscription of the session. `forbidden`:
 * its new credential does not allow it, or its topic token was revoked. `expired`: its topic token has. `refused`: what
 * was asked for with it could not be had. `disconnect`: the session has ended.
 */
export type UnsubscribeReason = 'client' | 'replaced' | 'forbidden' | 'expired' | 'refused' | 'disconnect';

/** Why a session ended: what the gateway itself ended it for, or that the client or the network did. */
export type DisconnectReason = CloseCode | 'client';

/** What a session has done. `topic`: a topic or pattern. */
type EventDetails =
  | { readonly type: 'connected' }
  | { readonly type: 'subscribed'; readonly topic: string }
  | { readonly type: 'unsubscribed'; readonly topic: string; readonly reason: UnsubscribeReason }
  | { readonly type: 'disconnected'; readonly reason: DisconnectReason };

/** The parts of a session that its events carry. */
export interface EventSession {
  readonly session: string;
  readonly user: string | undefined;
  readonly transport: string;
  readonly address: string;
}

/** What a session has done, and which one it is. Plain data, which other processes can be told. */
export type SessionEvent = EventDetails & EventSession;

/** Hears of what sessions do, in order. */
export interface EventListener {
  told(event: SessionEvent): void;
}

/** The parts of a session that events name. */
export interface ObservedSession {
  readonly id: string;
  readonly identity: Identity;
  /** The name of its transport. */
  readonly transport: string;
  readonly peer: { readonly address: string };
}

/**
 * Reports what a session does. Consumer: the sessions, which call it in the middle of their work: it must not throw,
 * wait, or call the gateway.
 *
 * A session that still has to authenticate counts as connected once it has. Subscriptions that the gateway makes by
 * itself are not reported. Each reported subscription ends once, at the latest before its session does.
 */
export type ReportEvent = (session: ObservedSession, details: EventDetails) => void;

/** Tells the listeners of all sessions but those of the gateway itself. Undefined: there are no listeners. */
export function reportTo(
  listeners: readonly EventListener[],
  isOwn: (identity: Identity) => boolean,
): ReportEvent | undefined {
  if (listeners.length === 0) return undefined;
  return ({ id: session, identity, transport, peer: { address } }, details) => {
    if (isOwn(identity)) return;
    const event: SessionEvent = { ...details, session, user: identity.user, transport, address };
    for (const listener of listeners) listener.told(event);
  };
}

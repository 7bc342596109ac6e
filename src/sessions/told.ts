import type { Identity } from '../auth/identity.ts';
import type {
  DisconnectReason,
  ObservedSession,
  SessionEvents,
  UnsubscribeReason,
} from './session-events.ts';

/** The facts of a session that the application is told. */
export interface ToldSession {
  readonly session: string;
  readonly user?: string | undefined;
  readonly transport: string;
  readonly address: string;
}

/** `SessionEvents` of sessions that are told. */
export interface ToldEvents {
  connected(session: ToldSession): void;
  subscribed(session: ToldSession, topic: string): void;
  unsubscribed(session: ToldSession, topic: string, reason: UnsubscribeReason): void;
  disconnected(session: ToldSession, reason: DisconnectReason): void;
}

/** Tells `events` of all sessions but those of the gateway itself. */
export function tellOf(events: ToldEvents, isOwn: (identity: Identity) => boolean): SessionEvents {
  const told = ({ id: session, identity, transport, peer }: ObservedSession): ToldSession | undefined =>
    isOwn(identity) ? undefined : { session, user: identity.user, transport, address: peer.address };
  return {
    connected(observed) {
      const session = told(observed);
      if (session !== undefined) events.connected(session);
    },
    subscribed(observed, topic) {
      const session = told(observed);
      if (session !== undefined) events.subscribed(session, topic);
    },
    unsubscribed(observed, topic, reason) {
      const session = told(observed);
      if (session !== undefined) events.unsubscribed(session, topic, reason);
    },
    disconnected(observed, reason) {
      const session = told(observed);
      if (session !== undefined) events.disconnected(session, reason);
    },
  };
}

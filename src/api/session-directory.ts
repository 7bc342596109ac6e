import type { Session } from '../sessions/session.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { ConnectionInfo, SessionDirectory } from './ports.ts';

/** The sessions of this node, for HTTP. */
export function sessionDirectory(sessions: Sessions): SessionDirectory {
  return {
    get count() {
      return sessions.count;
    },

    list({ topic, user, after, limit }) {
      const found: Session[] = [];
      for (const session of user === undefined ? sessions.all() : sessions.ofUser(user)) {
        if (session.id <= after) continue;
        if (topic !== undefined && !isSubscribed(session, topic)) continue;
        found.push(session);
      }
      found.sort((a, b) => (a.id < b.id ? -1 : 1));
      const page = found.slice(0, limit);
      return { connections: page.map(info), next: found.length > limit ? page.at(-1)?.id : undefined };
    },

    countOf(user, topic, except) {
      let count = 0;
      for (const session of sessions.ofUser(user)) {
        if (session.id !== except && (topic === undefined || isSubscribed(session, topic))) count++;
      }
      return count;
    },

    disconnect(id) {
      const session = sessions.get(id);
      if (session === undefined) return false;
      session.goAway('disconnected');
      return true;
    },
  };
}

function isSubscribed(session: Session, topic: string): boolean {
  for (const { target } of session.views.values()) if (target === topic) return true;
  return false;
}

function info(session: Session): ConnectionInfo {
  return {
    id: session.id,
    user: session.identity.user,
    client: session.client,
    transport: session.transport,
    codec: session.codec.name,
    address: session.peer.address,
    connectedAtMs: session.connectedAtMs,
    lastSeenAtMs: session.lastSeenAtMs,
    messageCount: session.messageCount,
    subscriptions: [...session.views.values()].map(({ view, target }) => ({ topic: target, view: view.id })),
  };
}

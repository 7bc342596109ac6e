import { LineBudget } from '../../log/line-budget.ts';
import type { Session } from '../session.ts';

/** Told of a session whose connection has ended. `code`: with which a WebSocket was closed. */
export type ConnectionEnded = (session: Session, code?: number) => void;

interface ConnectionLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** Per reason: a storm of clients that leave must not hide the few that were ended. */
const lineRate = { linesAtOnce: 50, everyMs: 1000 };

/**
 * Logs one line for the life of each connection, when it ends: who it was, how long it lived, what it had, and why it
 * ended. A storm is sampled: the next line says how many were left out.
 */
export function logConnections(log: ConnectionLog, monotonicMs: () => number): ConnectionEnded {
  const budget = new LineBudget(lineRate, monotonicMs);
  return (session, code) => {
    const reason = session.endedBy ?? 'client';
    const unlogged = budget.take(reason);
    if (unlogged === undefined) return;
    const { id, transport, peer, identity, views, messageCount, unsentBytes, ageMs } = session;
    const fields = {
      session: id,
      transport,
      address: peer.address,
      user: identity.user,
      key: identity.apiKey,
      seconds: Math.round(ageMs) / 1000,
      subscriptions: views.size,
      messages: messageCount,
      unsentBytes: unsentBytes === 0 ? undefined : unsentBytes,
      reason,
      code,
      ...unlogged,
    };
    log.info(fields, 'a connection ended');
  };
}

import type { Session } from '../session.ts';

/** Clients authenticate with their first message; this leaves time for the network. */
export const authenticateWithinMs = 5000;
/** For all messages of a session before it has authenticated. Tokens have a few kB. */
export const unauthenticatedMaxBytes = 65_536;

interface WaitingSession {
  readonly untilMs: number;
  bytes: number;
  /** The topic of its connection's path: it is subscribed to it once it has authenticated. */
  topic: string | undefined;
}

/** Sessions that still have to authenticate. Limits how long each takes, and how much it sends. */
export class Unauthenticated {
  readonly #waiting = new Map<Session, WaitingSession>();

  get size(): number {
    return this.#waiting.size;
  }

  /** `nowMs`: on a monotonic clock. */
  add(session: Session, nowMs: number): void {
    this.#waiting.set(session, { untilMs: nowMs + authenticateWithinMs, bytes: 0, topic: undefined });
  }

  subscribeLater(session: Session, topic: string): void {
    const waiting = this.#waiting.get(session);
    if (waiting !== undefined) waiting.topic = topic;
  }

  /** Whether it has sent more than it may. */
  received(session: Session, bytes: number): boolean {
    const waiting = this.#waiting.get(session);
    if (waiting === undefined) return false;
    waiting.bytes += bytes;
    return waiting.bytes > unauthenticatedMaxBytes;
  }

  /** The session has authenticated, or is gone. Returns the topic of its path. */
  remove(session: Session): string | undefined {
    const topic = this.#waiting.get(session)?.topic;
    this.#waiting.delete(session);
    return topic;
  }

  /** Sessions whose time is over. */
  overdue(nowMs: number): readonly Session[] {
    const sessions: Session[] = [];
    for (const [session, { untilMs }] of this.#waiting) {
      // They are in the order of their deadlines.
      if (untilMs > nowMs) break;
      sessions.push(session);
    }
    return sessions;
  }
}

export function isUnauthenticated({ identity }: Pick<Session, 'identity'>): boolean {
  return identity.unauthenticated === true;
}

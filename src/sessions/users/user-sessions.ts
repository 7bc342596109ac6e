import type { Session } from '../session.ts';

const none: ReadonlySet<Session> = new Set();

/** The sessions of each user. Finding them takes no time for those of others. */
export class UserSessions {
  readonly #byUser = new Map<string, Set<Session>>();

  /** Users with at least one session. */
  get size(): number {
    return this.#byUser.size;
  }

  /** Users with at least one session. */
  names(): Iterable<string> {
    return this.#byUser.keys();
  }

  of(user: string): ReadonlySet<Session> {
    return this.#byUser.get(user) ?? none;
  }

  /** Call it, as `remove`, while the session has this identity. */
  add(session: Session): void {
    const { user } = session.identity;
    if (user === undefined) return;
    const sessions = this.#byUser.get(user);
    if (sessions === undefined) this.#byUser.set(user, new Set([session]));
    else sessions.add(session);
  }

  remove(session: Session): void {
    const { user } = session.identity;
    if (user === undefined) return;
    const sessions = this.#byUser.get(user);
    if (sessions?.delete(session) && sessions.size === 0) this.#byUser.delete(user);
  }
}

import type { ClientOptions } from '../options.ts';
import type { Surroundings } from './surroundings.ts';
import type { WorkerScope } from './worker.ts';

export interface PageClientOptions extends ClientOptions {
  /** `own`: this tab has a connection of its own. By default all tabs with an equal URL and identity share one. */
  readonly tabs?: 'share' | 'own' | undefined;
  /** Who the page's user is, for tabs that share. By default what the token says: its claims `sub` and `topics`. */
  readonly identity?: string | undefined;
  /**
   * `pause`, the default: a hidden page gets nothing until it is shown again, and then what it has missed. `continue`:
   * it gets everything as it comes.
   */
  readonly whenHidden?: 'pause' | 'continue' | undefined;
  /** A leading tab that has not responded for this long is replaced: 6000 by default. */
  readonly leaderTimeoutMs?: number | undefined;
  /**
   * A worker whose script calls `serveWorker(globalThis)`: it holds the connection and decodes what comes, for this tab
   * alone. Not with the options `WebSocket` and `runtime`.
   */
  readonly worker?: WorkerScope | undefined;
  /** For tests. */
  readonly surroundings?: Surroundings | undefined;
}

/**
 * Who holds the connection: this tab for itself (`alone`), this tab for all (`leader`), another tab (`follower`) or a
 * worker (`worker`). `undecided` before `connect()`, and until a leader is elected.
 */
export type TabRole = 'undecided' | 'alone' | 'leader' | 'follower' | 'worker';

export interface Sharing {
  readonly role: TabRole;
  /** Why it is alone. `no_web_locks`: browsers have them on HTTPS and localhost only. */
  readonly reason?: 'not_wanted' | 'no_web_locks';
}

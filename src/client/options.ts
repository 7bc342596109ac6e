import type { BackoffOptions } from './backoff.ts';
import type { HeartbeatOptions } from './heartbeat.ts';
import type { OfflineQueueOptions } from './offline-queue.ts';
import type { Runtime, WebSocketClass } from './runtime.ts';

export interface ClientOptions {
  /** A JSON Web Token, or how to get one: asked before each attempt to connect, and before the old one expires. */
  readonly token?: string | (() => string | Promise<string>);
  /** Where the platform has none (Node 20): the one of the package `ws`. */
  readonly WebSocket?: WebSocketClass;
  /** Waits of 1, 2, 4, 8, 16, 30 s, for ever; `false`: one attempt, and none after a loss. */
  readonly reconnect?: BackoffOptions | false;
  /** A ping every 30 s; without any message for 10 s after it the connection is dead. */
  readonly heartbeat?: HeartbeatOptions;
  /** Publications that wait while the connection is away: 100. */
  readonly offlineQueue?: OfflineQueueOptions;
  /** How long a command waits for its reply, 10 000 by default. */
  readonly commandTimeoutMs?: number;
  /** From the beginning of an attempt to connect until the gateway has let us in, 10 000 by default. */
  readonly connectTimeoutMs?: number;
  /** Who connects, for the gateway's logs: "my-app/1.2.3". */
  readonly clientName?: string;
  /** Clock, randomness, timers and fetch, for tests. */
  readonly runtime?: Runtime;
}

/** A page may give a path: `/ws` means this host, with TLS where the page has it. */
export function absoluteUrl(url: string): string {
  const base = (globalThis as { location?: { href: string } }).location?.href;
  const absolute = new URL(url, base);
  absolute.protocol = absolute.protocol.replace(/^http/, 'ws');
  absolute.hash = '';
  return absolute.href;
}

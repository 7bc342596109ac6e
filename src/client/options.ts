import { localError } from './client-error.ts';
import type { BackoffOptions } from './connection/backoff.ts';
import type { HeartbeatOptions } from './connection/heartbeat.ts';
import type { Transport } from './http/transports.ts';
import type { OfflineQueueOptions } from './offline-queue.ts';
import type { Runtime, WebSocketClass } from './runtime.ts';

export interface ClientOptions {
  /**
   * A JSON Web Token, or how to get one: asked before each attempt to connect, and before the old one
   * expires.
   */
  readonly token?: string | (() => string | Promise<string>);
  /** Where the platform has none (Node 20): the one of the package `ws`. */
  readonly WebSocket?: WebSocketClass;
  /**
   * Waits of 1, 2, 4, 8, 16, 30 s, each drawn between half of it and all of it, for ever; `false`: one
   * attempt, and none after a loss.
   */
  readonly reconnect?: BackoffOptions | false;
  /**
   * The same as `reconnect.maxAttempts`: attempts in a row to come back; then the client closes with
   * `retries_over`.
   */
  readonly maxReconnectAttempts?: number;
  /** The same as `reconnect.jitter`. */
  readonly jitter?: BackoffOptions['jitter'];
  /**
   * How frames may come, in the order in which it is tried: by default `websocket`, `sse`, `poll`. Where something on
   * the way refuses one, the next is used, until the first works again. What comes over HTTP is JSON: payloads are
   * equal, but not byte for byte.
   */
  readonly transports?: readonly Transport[];
  /** `false`: the same as `transports` without `websocket`. */
  readonly enableWebSocket?: boolean;
  /** Milliseconds between two polls. 0, the default: the gateway holds each poll until there is something. */
  readonly fallbackPollingInterval?: number;
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

/** A page may give a path: `/ws` means this host, with TLS where the page has it. Throws `invalid_url`. */
export function absoluteUrl(url: string): string {
  const base = (globalThis as { location?: { href: string } }).location?.href;
  try {
    const absolute = new URL(url, base);
    absolute.protocol = absolute.protocol.replace(/^http/, 'ws');
    absolute.hash = '';
    if (/^wss?:$/.test(absolute.protocol)) return absolute.href;
  } catch {
    // No URL at all.
  }
  throw localError('invalid_url', `No WebSocket URL: ${String(url)}`);
}

export function backoffOptions(options: ClientOptions): BackoffOptions {
  const { reconnect, maxReconnectAttempts: maxAttempts, jitter } = options;
  return reconnect === false ? { maxAttempts: 0 } : { maxAttempts, jitter, ...reconnect };
}

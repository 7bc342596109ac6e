import { localError } from './client-error.ts';
import type { BackoffOptions } from './connection/backoff.ts';
import type { HeartbeatOptions } from './connection/heartbeat.ts';
import type { OfflineQueueOptions } from './offline-queue.ts';
import type { Runtime, WebSocketClass } from './runtime.ts';

/** How the client gets frames: by `websocket`, `sse` (a stream of Server-Sent Events) or `poll`. */
export type Transport = 'websocket' | 'sse' | 'poll';

/** A number that can't be used throws a `TypeError` that names the option. Null counts as absent. */
export interface ClientOptions {
  /**
   * A JSON Web Token, or a function that returns one: it is called before each attempt to connect, and before the token
   * expires.
   */
  readonly token?: string | (() => string | Promise<string>) | undefined;
  /** Needed if the platform has no WebSocket (Node 20): the class of the package `ws`. */
  readonly WebSocket?: WebSocketClass | undefined;
  /**
   * When to reconnect. By default after 1, 2, 4, 8, 16 and then 30 s, each delay drawn between half of it and all of
   * it, without end. `false`: the client makes one attempt, and none after a loss.
   */
  readonly reconnect?: BackoffOptions | false | undefined;
  /**
   * The same as `reconnect.maxAttempts`: after this many failed attempts in a row the client closes with
   * `retries_over`.
   */
  readonly maxReconnectAttempts?: number | undefined;
  /** The same as `reconnect.jitter`. */
  readonly jitter?: BackoffOptions['jitter'] | undefined;
  /**
   * The transports in the order in which they are tried: by default `websocket`, `sse`, `poll`. If something on the way
   * refuses one, the next is used until the first works again. Other names are left out. Payloads that come over HTTP
   * are JSON written again: equal, but not byte for byte.
   */
  readonly transports?: readonly Transport[] | undefined;
  /** `false`: the same as `transports` without `websocket`. */
  readonly enableWebSocket?: boolean | undefined;
  /** Milliseconds between two polls. 0, the default: the gateway holds each poll until it has something to send. */
  readonly fallbackPollingInterval?: number | undefined;
  /** By default a ping every 25 s. If nothing comes for 10 s after it the connection is dead. */
  readonly heartbeat?: HeartbeatOptions | undefined;
  /** Holds publications while there is no connection, by default 100. */
  readonly offlineQueue?: OfflineQueueOptions | undefined;
  /** How long a command waits for its reply: 10 000 by default. */
  readonly commandTimeoutMs?: number | undefined;
  /**
   * Over HTTP: after how long without a response the request of a publish or of a page of history is sent again, on
   * another connection, because the first one may be dead. By default a quarter of `commandTimeoutMs`.
   */
  readonly requestTimeoutMs?: number | undefined;
  /** How long an attempt to connect may take until the gateway has accepted the client: 10 000 by default. */
  readonly connectTimeoutMs?: number | undefined;
  /** The application's name in the gateway's logs: "my-app/1.2.3". */
  readonly clientName?: string | undefined;
  /** Clock, randomness, timers and fetch, for tests. */
  readonly runtime?: Runtime | undefined;
}

/** A page may give a path: `/ws` means its own host, with TLS if the page came by TLS. Throws `invalid_url`. */
export function absoluteUrl(url: string): string {
  const base = (globalThis as { location?: { href: string } }).location?.href;
  try {
    // The URL of React Native can only be read as a whole, and ends with a slash unless it has a fragment.
    const [absolute] = new URL(`${`${url}`.trim()}#`, base).href.replace(/^http/, 'ws').split('#') as [
      string,
    ];
    if (/^wss?:/.test(absolute)) return absolute;
  } catch {
    // Not a URL.
  }
  throw localError('invalid_url', `invalid URL: ${url}`);
}

export function backoffOptions(options: ClientOptions): BackoffOptions {
  const { reconnect, maxReconnectAttempts: maxAttempts, jitter } = options;
  return reconnect === false ? { maxAttempts: 0 } : { maxAttempts, jitter, ...reconnect };
}

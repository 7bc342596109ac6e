import { type ClientError, localError } from '../client-error.ts';
import type { Runtime, Socket } from '../runtime.ts';
import type { HttpHome } from './open.ts';
import type { HttpMemory } from './receive.ts';

/** How frames come: `websocket`, `sse` (a stream of Server-Sent Events), or `poll`. */
export type Transport = 'websocket' | 'sse' | 'poll';

export interface TransportsOptions {
  /** In the order in which they are tried. */
  readonly transports?: readonly Transport[];
  readonly enableWebSocket?: boolean;
  /** Milliseconds between two polls; 0: the gateway holds each poll until there is something. */
  readonly fallbackPollingInterval?: number;
}

export interface TransportsPort {
  readonly runtime: Runtime;
  /** To be abandoned where a better one can be had. */
  readonly connection: { abandon(): void };
  openWebSocket(url: string, protocol: string): Socket;
}

/** Reasons why the next transport may work where this one did not: something responds there. */
const reasonsToFallBack =
  /^(upgrade_failed|http_version|socket_refused|timeout|not_found|connection_failed)$/;

/** Chooses how the client connects, and falls back where a transport is refused on the way. */
export class Transports implements HttpHome {
  #index = 0;
  readonly memory: HttpMemory = {};
  readonly transports: readonly Transport[];
  readonly pollIntervalMs: number;
  readonly port: TransportsPort;

  /** Without `fetch` there are WebSockets only. */
  constructor(options: TransportsOptions, port: TransportsPort) {
    const {
      transports = ['websocket', 'sse', 'poll'],
      enableWebSocket = true,
      fallbackPollingInterval = 0,
    } = options;
    const { fetch } = port.runtime;
    const wanted = transports.filter((each) => (each === 'websocket' ? enableWebSocket : fetch));
    this.transports = wanted.length > 0 ? wanted : ['websocket'];
    this.pollIntervalMs = fallbackPollingInterval;
    this.port = port;
  }

  get current(): Transport {
    return this.transports[this.#index] as Transport;
  }

  open(url: string, protocol: string, token: string | undefined): Socket | Promise<Socket> {
    if (this.current === 'websocket') return this.port.openWebSocket(url, protocol);
    return import('./open.ts').then(
      ({ openHttp }) => openHttp(url, protocol, token, this),
      (cause) => {
        throw localError('connection_failed', undefined, cause);
      },
    );
  }

  /** A WebSocket opens again. */
  found(): void {
    this.#index = 0;
    this.port.connection.abandon();
  }

  /** An attempt to connect has failed. */
  failed({ code }: ClientError): void {
    if (reasonsToFallBack.test(code)) this.#next();
  }

  /** Nothing has come for too long: something on the way may hold a stream back, and pass on what is complete. */
  silent(): void {
    if (this.current === 'sse') this.#next();
  }

  #next(): void {
    this.#index = (this.#index + 1) % this.transports.length;
  }
}

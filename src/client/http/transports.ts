import { type ClientError, localError } from '../client-error.ts';
import type { Runtime, Socket } from '../runtime.ts';
import type { HttpHome } from './open.ts';
import type { HttpMemory } from './receive.ts';

/** How frames come: `websocket`, `sse` (a stream of Server-Sent Events), or `poll`. */
export type Transport = 'websocket' | 'sse' | 'poll';

export interface TransportsOptions {
  /** In the order in which they are tried. */
  readonly transports: readonly Transport[];
  /** Between two polls; 0: the gateway holds each poll until there is something. */
  readonly pollIntervalMs: number;
}

export interface TransportsPort {
  readonly runtime: Runtime;
  openWebSocket(url: string, protocol: string): Socket;
  /** A WebSocket opens again. */
  better(): void;
}

/** Reasons why the next transport may work where this one did not: something responds there. */
const reasonsToFallBack =
  /^(upgrade_failed|http_version|socket_refused|timeout|not_found|connection_failed)$/;

/** Chooses how the client connects, and falls back where a transport is refused on the way. */
export class Transports implements HttpHome {
  #index = 0;
  readonly memory: HttpMemory = {};
  readonly options: TransportsOptions;
  readonly port: TransportsPort;

  constructor(options: TransportsOptions, port: TransportsPort) {
    this.options = options;
    this.port = port;
  }

  get current(): Transport {
    return this.options.transports[this.#index] as Transport;
  }

  open(url: string, protocol: string, token: string | undefined): Socket | Promise<Socket> {
    if (this.current === 'websocket') return this.port.openWebSocket(url, protocol);
    return import('./open.ts').then(
      ({ openHttp }) => openHttp(url, protocol, token, this),
      (cause) => {
        throw localError('connection_failed', 'The code of this transport does not load.', cause);
      },
    );
  }

  /** A WebSocket opens again. */
  found(): void {
    this.#index = 0;
    this.port.better();
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
    this.#index = (this.#index + 1) % this.options.transports.length;
  }
}

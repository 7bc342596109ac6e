import { type ClientError, localError } from '../client-error.ts';
import type { ClientOptions, Transport } from '../options.ts';
import type { Runtime, Socket } from '../runtime.ts';
import type { HttpHome } from './open.ts';
import type { HttpMemory } from './receive.ts';

type TransportsOptions = Pick<ClientOptions, 'transports' | 'enableWebSocket' | 'fallbackPollingInterval'>;

export interface TransportsPort {
  readonly runtime: Runtime;
  /** Abandoned when a better transport works. */
  readonly connection: { abandon(): void };
  openWebSocket(url: string, protocol: string): Socket;
}

const allTransports: readonly Transport[] = ['websocket', 'sse', 'poll'];

/** Errors after which the next transport may work: a server responds, but not by this one. */
const reasonsToFallBack =
  /^(upgrade_failed|http_version|socket_refused|timeout|not_found|connection_failed)$/;

/** Chooses the transport, and falls back to the next one if something on the way refuses it. */
export class Transports implements HttpHome {
  #index = 0;
  readonly memory: HttpMemory = {};
  readonly transports: readonly Transport[];
  readonly pollIntervalMs: number;
  readonly port: TransportsPort;

  /** Without `fetch` there are WebSockets only. */
  constructor(options: TransportsOptions, port: TransportsPort) {
    const { fetch } = port.runtime;
    const wanted = (options.transports ?? allTransports).filter((each) =>
      each === 'websocket' ? (options.enableWebSocket ?? true) : fetch && allTransports.includes(each),
    );
    this.transports = wanted.length > 0 ? wanted : ['websocket'];
    this.pollIntervalMs = options.fallbackPollingInterval ?? 0;
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

  /** A WebSocket can be opened again. */
  found(): void {
    this.#index = 0;
    this.port.connection.abandon();
  }

  /** An attempt to connect has failed. */
  failed({ code }: ClientError): void {
    if (reasonsToFallBack.test(code)) this.#next();
  }

  /** Nothing has come for too long. A proxy may hold back a stream until it ends, so polls may work. */
  silent(): void {
    if (this.current === 'sse') this.#next();
  }

  #next(): void {
    this.#index = (this.#index + 1) % this.transports.length;
  }
}

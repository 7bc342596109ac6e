import { type ClientError, localError } from '../client-error.ts';
import type { ClientOptions, Transport } from '../options.ts';
import { type Runtime, type Socket, socketFactory } from '../runtime.ts';
import type { HttpHome } from './open.ts';
import type { HttpMemory } from './receive.ts';

type TransportsOptions = Pick<
  ClientOptions,
  | 'WebSocket'
  | 'transports'
  | 'enableWebSocket'
  | 'fallbackPollingInterval'
  | 'commandTimeoutMs'
  | 'requestTimeoutMs'
>;

export interface TransportsPort {
  readonly runtime: Runtime;
  /** Abandoned when a better transport works. */
  readonly connection: { abandon(): void };
}

const allTransports: readonly Transport[] = ['websocket', 'sse', 'poll'];

/**
 * After which errors, preceded by the transport, the next one may work: a server responds, but not by this one. Another
 * server may respond to requests where the gateway has the WebSocket. A proxy may hold back a stream until it ends.
 */
const reasonsToFallBack =
  /upgrade_failed|http_version|socket_refused|[^_]timeout|connection_failed|^[^w].*not_a_g|^sse.*timeout/;

/** Chooses the transport, and falls back to the next one if something on the way refuses it. */
export class Transports implements HttpHome {
  turn = 0;
  readonly memory: HttpMemory = {};
  readonly transports: readonly Transport[];
  readonly options: TransportsOptions;
  readonly port: TransportsPort;

  /** Without `fetch` there are WebSockets only. */
  constructor(options: TransportsOptions, port: TransportsPort) {
    const { fetch } = port.runtime;
    const usable = (options.transports ?? allTransports).filter((each) =>
      each === 'websocket' ? (options.enableWebSocket ?? true) : fetch && allTransports.includes(each),
    );
    this.transports = usable.length > 0 ? usable : ['websocket'];
    this.options = options;
    this.port = port;
  }

  get current(): Transport {
    return this.transports[this.turn % this.transports.length] as Transport;
  }

  open(url: string, protocol: string, token: string | undefined): Socket | Promise<Socket> {
    if (this.current === 'websocket') return this.openWebSocket(url, protocol);
    return import('./open.ts').then(
      ({ code: openHttp }) => openHttp(url, protocol, token, this),
      (cause) => {
        throw localError('connection_failed', undefined, cause);
      },
    );
  }

  openWebSocket(url: string, protocol: string): Socket {
    return socketFactory(this.options.WebSocket)(url, protocol);
  }

  /** An attempt to connect has failed, or nothing has come for too long. */
  failed({ code }: ClientError): void {
    if (reasonsToFallBack.test(this.current + code)) this.turn++;
  }
}

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { LineBudget } from '../log/line-budget.ts';
import type { WarningLog } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { ListenError } from './uws/listen.ts';

export interface ProxyPortOptions {
  readonly isProxy: (peerAddress: string) => boolean;
  readonly connectionsMax: number;
  /** Takes over a connection of a trusted proxy. */
  readonly take: (socket: Socket) => void;
  /** Connections are passed to another process, which reads them: nothing is read here. */
  readonly isPassedOn: boolean;
  /** A connection of another peer was closed. */
  readonly refused: (peerAddress: string) => void;
  readonly metrics: Pick<Metrics, 'connectionsRejectedTotal'>;
}

/** Listens for connections that begin with a header of the PROXY protocol, of trusted proxies only. */
export class ProxyPort {
  readonly #options: ProxyPortOptions;
  readonly #server: Server;

  constructor(options: ProxyPortOptions) {
    this.#options = options;
    const { connectionsMax, isPassedOn: pauseOnConnect } = options;
    this.#server = createServer({ noDelay: true, pauseOnConnect }, (socket) => this.#accept(socket));
    this.#server.maxConnections = connectionsMax;
    this.#server.on('drop', () => this.#count('too_many_connections'));
  }

  /** Resolves with the port. Rejects with a `ListenError`. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const fail = (error: NodeJS.ErrnoException) =>
        reject(new ListenError(error.code ?? 'EADDRINUSE', host, port, error));
      this.#server.once('error', fail);
      this.#server.listen({ host, port, exclusive: true }, () => {
        this.#server.off('error', fail);
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** Takes no more connections; those that are open stay. */
  stop(): void {
    this.#server.close();
  }

  #accept(socket: Socket): void {
    const { isProxy, take, refused } = this.#options;
    const peer = socket.remoteAddress ?? '';
    socket.on('error', () => socket.destroy());
    if (isProxy(peer)) {
      take(socket);
      return;
    }
    socket.destroy();
    this.#count('forbidden');
    refused(peer);
  }

  #count(reason: 'too_many_connections' | 'forbidden'): void {
    this.#options.metrics.connectionsRejectedTotal.inc({ reason });
  }
}

const lineRate = { linesAtOnce: 1, everyMs: 10_000 };

/** For `ProxyPortOptions.refused`: a line of the log, at most every 10 s. */
export function logStrangers(log: WarningLog, monotonicMs: () => number): (peerAddress: string) => void {
  const lines = new LineBudget(lineRate, monotonicMs);
  return (address) => {
    const unlogged = lines.take('stranger');
    if (unlogged === undefined) return;
    log.warn({ address, ...unlogged }, 'refused: the proxy port serves trusted proxies only');
  };
}

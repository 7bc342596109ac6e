import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import type { Metrics } from '../metrics.ts';
import { readProxyHeader, writeProxyHeader } from './proxy-header.ts';
import { ListenError } from './uws/listen.ts';

export interface ProxyPortOptions {
  /** The socket of the app that serves the connections: other users cannot connect to it. */
  readonly socketPath: string;
  readonly isProxy: (peerAddress: string) => boolean;
  readonly connectionsMax: number;
  readonly headMaxBytes: number;
  /** A connection of another peer was closed. */
  readonly refused: (peerAddress: string) => void;
  readonly metrics: Pick<Metrics, 'connectionsRejectedTotal'>;
}

/** As the library allows for the head of a request. */
const beginWithinMs = 10_000;

/**
 * A port for connections that begin with a header of the PROXY protocol. The library accepts such a header from
 * anybody, only in version 2, and responds 505 if the request line does not come in the same segment. So this port
 * reads the header, from trusted proxies only. It passes the connection on, with a header that the library understands
 * and the request line in one write.
 */
export class ProxyPort {
  readonly #options: ProxyPortOptions;
  readonly #server: Server;
  readonly #open = new Set<Socket>();

  constructor(options: ProxyPortOptions) {
    this.#options = options;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#server.maxConnections = options.connectionsMax;
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

  /** Ends all connections. */
  close(): void {
    for (const socket of this.#open) socket.destroy();
  }

  #accept(socket: Socket): void {
    const { isProxy, refused } = this.#options;
    const peer = socket.remoteAddress ?? '';
    socket.on('error', () => socket.destroy());
    if (!isProxy(peer)) {
      socket.destroy();
      this.#count('forbidden');
      refused(peer);
      return;
    }
    this.#open.add(socket);
    const late = setTimeout(() => socket.destroy(), beginWithinMs);
    socket.once('close', () => {
      clearTimeout(late);
      this.#open.delete(socket);
    });
    let begun: Buffer = Buffer.alloc(0);
    const gather = (bytes: Buffer) => {
      begun = begun.length === 0 ? bytes : Buffer.concat([begun, bytes]);
      const beginning = this.#rewritten(begun, peer);
      if (beginning === 'incomplete') return;
      clearTimeout(late);
      socket.off('data', gather);
      if (beginning === 'invalid') socket.destroy();
      else this.#handOn(socket, beginning);
    };
    socket.on('data', gather);
  }

  /** The first bytes for the app; complete once there is a request line. */
  #rewritten(begun: Buffer, peer: string): Buffer | 'incomplete' | 'invalid' {
    const header = readProxyHeader(begun);
    if (typeof header === 'string') return header;
    const rest = begun.subarray(header.bytes);
    if (!rest.includes('\r\n')) return rest.length > this.#options.headMaxBytes ? 'invalid' : 'incomplete';
    return Buffer.concat([writeProxyHeader(header.source ?? peer), rest]);
  }

  #handOn(socket: Socket, beginning: Buffer): void {
    const app = connect(this.#options.socketPath);
    app.write(beginning);
    pipeline(socket, app, socket, () => {
      socket.destroy();
      app.destroy();
    });
  }

  #count(reason: 'too_many_connections' | 'forbidden'): void {
    this.#options.metrics.connectionsRejectedTotal.inc({ reason });
  }
}

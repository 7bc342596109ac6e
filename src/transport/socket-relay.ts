import { connect, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { readProxyHeader, writeProxyHeader } from './proxy-header.ts';

export interface SocketRelayOptions {
  /** The socket of the app that serves the connections: other users cannot connect to it. */
  readonly socketPath: string;
  readonly connectionsMax: number;
  readonly headMaxBytes: number;
  /** Whether there are files for another connection. */
  readonly hasFiles: () => boolean;
  /** Called when a connection was closed because `connectionsMax` are open, or there are no files for it. */
  readonly full: () => void;
}

/** The library allows as long for the head of a request. */
const beginWithinMs = 10_000;

/** Relays connections that Node has accepted to an app of the library, by a unix socket. */
export class SocketRelay {
  readonly #options: SocketRelayOptions;
  readonly #open = new Set<Socket>();

  constructor(options: SocketRelayOptions) {
    this.#options = options;
  }

  /** Passes the connection on as it is. */
  take(socket: Socket): void {
    if (this.#opened(socket)) this.#handOn(socket);
  }

  /**
   * Takes a connection of a trusted proxy that begins with a header of the PROXY protocol. The library accepts such a
   * header from anybody, only in version 2, and responds 505 if the request line does not come in the same segment. So
   * this reads the header, and passes the connection on with a header that the library understands and the request line
   * in one write.
   */
  takeProxied(socket: Socket): void {
    if (!this.#opened(socket)) return;
    const peer = socket.remoteAddress ?? '';
    const late = setTimeout(() => socket.destroy(), beginWithinMs);
    socket.once('close', () => clearTimeout(late));
    let received: Buffer = Buffer.alloc(0);
    const gather = (bytes: Buffer) => {
      received = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
      const beginning = this.#rewritten(received, peer);
      if (beginning === 'incomplete') return;
      clearTimeout(late);
      socket.off('data', gather);
      if (beginning === 'invalid') socket.destroy();
      else this.#handOn(socket, beginning);
    };
    socket.on('data', gather);
  }

  /** Connections that are relayed. */
  get count(): number {
    return this.#open.size;
  }

  /** Ends all connections. */
  close(): void {
    for (const socket of this.#open) socket.destroy();
  }

  #opened(socket: Socket): boolean {
    const { connectionsMax, hasFiles, full } = this.#options;
    socket.on('error', () => socket.destroy());
    if (this.#open.size >= connectionsMax || !hasFiles()) {
      socket.destroy();
      full();
      return false;
    }
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    return true;
  }

  /** The bytes for the app once the request line is there. */
  #rewritten(begun: Buffer, peer: string): Buffer | 'incomplete' | 'invalid' {
    const header = readProxyHeader(begun);
    if (typeof header === 'string') return header;
    const rest = begun.subarray(header.bytes);
    if (!rest.includes('\r\n')) return rest.length > this.#options.headMaxBytes ? 'invalid' : 'incomplete';
    return Buffer.concat([writeProxyHeader(header.source ?? peer), rest]);
  }

  #handOn(socket: Socket, beginning?: Buffer): void {
    const app = connect(this.#options.socketPath);
    if (beginning !== undefined) app.write(beginning);
    pipeline(socket, app, socket, () => {
      socket.destroy();
      app.destroy();
    });
  }
}

import { connect, type Socket } from 'node:net';

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** Resolved with the answer; rejected when the connection was lost before. */
interface Waiting {
  readonly request: Buffer;
  resolve(answer: HttpAnswer): void;
  reject(error: Error): void;
}

/**
 * Keep-alive connections that take a request each; what comes meanwhile waits. (uWebSockets.js ends a connection that
 * sends a second request before the answer to the first, unless that comes in the same turn.)
 */
export class HttpPool {
  readonly #idle: HttpConnection[] = [];
  readonly #all: HttpConnection[] = [];
  #queue: Waiting[] = [];
  #head = 0;

  constructor(port: number, connections: number) {
    for (let i = 0; i < connections; i++) {
      const connection = new HttpConnection(port, () => this.#next(connection));
      this.#all.push(connection);
      this.#idle.push(connection);
    }
  }

  post(path: string, body: string): Promise<HttpAnswer> {
    const request = Buffer.from(
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    return new Promise((resolve, reject) => {
      const waiting = { request, resolve, reject };
      const connection = this.#idle.pop();
      if (connection === undefined) this.#queue.push(waiting);
      else connection.send(waiting);
    });
  }

  close(): void {
    for (const connection of this.#all) connection.close();
  }

  #next(connection: HttpConnection): void {
    const waiting = this.#queue[this.#head];
    if (waiting === undefined) {
      this.#queue = [];
      this.#head = 0;
      this.#idle.push(connection);
      return;
    }
    this.#head++;
    connection.send(waiting);
  }
}

class HttpConnection {
  #socket: Socket | undefined;
  #received = '';
  #waiting: Waiting | undefined;
  readonly #port: number;
  readonly #free: () => void;

  constructor(port: number, free: () => void) {
    this.#port = port;
    this.#free = free;
  }

  send(waiting: Waiting): void {
    this.#waiting = waiting;
    this.#socket ??= this.#open();
    this.#socket.write(waiting.request);
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): Socket {
    const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true });
    this.#received = '';
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#lost());
    return socket;
  }

  #read(chunk: Buffer): void {
    this.#received += chunk.toString('latin1');
    const head = this.#received.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = Number(/content-length: *(\d+)/i.exec(this.#received.slice(0, head))?.[1] ?? 0);
    if (this.#received.length < head + 4 + length) return;
    const answer = { status: Number(this.#received.slice(9, 12)), body: this.#received.slice(head + 4) };
    this.#received = '';
    this.#settle((waiting) => waiting.resolve(answer));
  }

  #lost(): void {
    this.#socket = undefined;
    this.#settle((waiting) => waiting.reject(new Error('the connection was lost')));
  }

  #settle(tell: (waiting: Waiting) => void): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    tell(waiting);
    this.#free();
  }
}

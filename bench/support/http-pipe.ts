import { connect, type Socket } from 'node:net';

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/**
 * One keep-alive connection that sends requests without waiting for answers (pipelining); each answer is the one of
 * the oldest request. When the connection is lost, what was not answered fails, and the next request opens another.
 */
export class HttpPipe {
  #socket: Socket | undefined;
  #received = '';
  #waiting: { resolve(answer: HttpAnswer): void; reject(error: Error): void }[] = [];
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  get unanswered(): number {
    return this.#waiting.length;
  }

  post(path: string, body: string | Uint8Array): Promise<HttpAnswer> {
    const socket = this.#socket ?? this.#open();
    const length = Buffer.byteLength(body);
    const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
    socket.cork();
    socket.write(head, 'latin1');
    socket.write(body);
    socket.uncork();
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): Socket {
    const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true });
    this.#socket = socket;
    this.#received = '';
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#lost(socket));
    return socket;
  }

  #read(chunk: Buffer): void {
    this.#received += chunk.toString('latin1');
    for (;;) {
      const head = this.#received.indexOf('\r\n\r\n');
      if (head < 0) return;
      const length = Number(/content-length: *(\d+)/i.exec(this.#received.slice(0, head))?.[1] ?? 0);
      const end = head + 4 + length;
      if (this.#received.length < end) return;
      const answer = {
        status: Number(this.#received.slice(9, 12)),
        body: this.#received.slice(head + 4, end),
      };
      this.#received = this.#received.slice(end);
      this.#waiting.shift()?.resolve(answer);
    }
  }

  #lost(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    const lost = this.#waiting;
    this.#waiting = [];
    for (const { reject } of lost) reject(new Error('the connection was lost'));
  }
}

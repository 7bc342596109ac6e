import { connect, type Socket } from 'node:net';

export interface EventStreamOptions {
  readonly port: number;
  /** With its query. */
  readonly path: string;
  readonly localAddress?: string;
}

export interface EventStreamListener {
  /** Told of the `data` of each event: the bytes [start, end). They are gone when this returns. */
  event(bytes: Buffer, start: number, end: number): void;
  /** Refused, lost or ended; told once. */
  closed(reason: string): void;
}

// Every socket reads into it: the bytes are used up before the next one reads.
const shared = Buffer.allocUnsafeSlow(256 * 1024);

const dataStart = Buffer.from('data: ');
const eventEnd = Buffer.from('\n\n');

/**
 * A client of Server-Sent Events on a bare socket, as cheap as possible. It finds `data: ` and the blank line after it,
 * and skips the rest, including the sizes of chunks: the gateway writes the data of an event as one line in one chunk.
 */
export class EventStreamClient {
  readonly #socket: Socket;
  readonly #listener: EventStreamListener;
  #head: string | undefined = '';
  #rest: Buffer | undefined;
  #over = false;

  constructor({ port, path, localAddress }: EventStreamOptions, listener: EventStreamListener) {
    this.#listener = listener;
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      localAddress,
      noDelay: true,
      onread: { buffer: shared, callback: (length) => this.#read(length) },
    });
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n`);
    this.#socket.on('error', (error) => this.#closed(error.message));
    this.#socket.on('close', () => this.#closed('closed'));
  }

  /** Gone without a word, with a reset. */
  destroy(): void {
    this.#over = true;
    this.#socket.resetAndDestroy();
  }

  #read(length: number): boolean {
    if (this.#over) return true;
    if (this.#head === undefined) this.#events(shared.subarray(0, length));
    else this.#readHead(length);
    return true;
  }

  #readHead(length: number): void {
    const before = this.#head!.length;
    this.#head += shared.toString('latin1', 0, length);
    const end = this.#head!.indexOf('\r\n\r\n');
    if (end < 0) return;
    if (!this.#head!.startsWith('HTTP/1.1 200')) {
      this.#closed(this.#head!.slice(0, this.#head!.indexOf('\r\n')));
      this.#socket.destroy();
      return;
    }
    this.#head = undefined;
    this.#events(shared.subarray(end + 4 - before, length));
  }

  #events(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    let at = 0;
    while (!this.#over) {
      const start = bytes.indexOf(dataStart, at);
      const end = start < 0 ? -1 : bytes.indexOf(eventEnd, start);
      if (end < 0) break;
      this.#listener.event(bytes, start + dataStart.length, end);
      at = end + eventEnd.length;
    }
    if (at < bytes.length) this.#rest = Buffer.from(bytes.subarray(at));
  }

  #closed(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#listener.closed(reason);
  }
}

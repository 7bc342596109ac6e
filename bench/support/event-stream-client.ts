import { BareSocket, type BareSocketOptions } from './bare-socket.ts';

export interface EventStreamOptions extends Pick<BareSocketOptions, 'port' | 'localAddress'> {
  /** With its query. */
  readonly path: string;
}

export interface EventStreamListener {
  /** Told of the `data` of each event: the bytes [start, end). They are gone when this returns. */
  event(bytes: Buffer, start: number, end: number): void;
  /** Refused, lost or ended; told once. */
  closed(reason: string): void;
}

const dataStart = Buffer.from('data: ');
const eventEnd = Buffer.from('\n\n');

/**
 * A client of Server-Sent Events on a bare socket. It finds `data: ` and the blank line after it, and skips the rest,
 * including the sizes of chunks: the gateway writes the data of an event as one line in one chunk.
 */
export class EventStreamClient {
  readonly #socket: BareSocket;
  readonly #listener: EventStreamListener;
  #rest: Buffer | undefined;

  constructor({ path, ...where }: EventStreamOptions, listener: EventStreamListener) {
    this.#listener = listener;
    const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n`;
    this.#socket = new BareSocket(
      { ...where, request, granted: 200 },
      {
        read: (bytes, length) => this.#read(bytes.subarray(0, length)),
        closed: (reason) => listener.closed(reason),
      },
    );
  }

  /** Gone without a word, with a reset. */
  destroy(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    let at = 0;
    while (!this.#socket.isOver) {
      const start = bytes.indexOf(dataStart, at);
      const end = start < 0 ? -1 : bytes.indexOf(eventEnd, start);
      if (end < 0) break;
      this.#listener.event(bytes, start + dataStart.length, end);
      at = end + eventEnd.length;
    }
    if (at < bytes.length) this.#rest = Buffer.from(bytes.subarray(at));
  }
}

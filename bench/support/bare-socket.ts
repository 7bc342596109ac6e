import { connect, type Socket } from 'node:net';

export interface BareSocketOptions {
  readonly port: number;
  /** An address of this machine: there are too few ports on a single one. */
  readonly localAddress?: string | undefined;
  /** What it sends first: a request of HTTP. */
  readonly request: string | Uint8Array;
  /** The status of a response that grants it. */
  readonly granted: number;
}

export interface BareSocketListener {
  opened?(): void;
  /** What comes after the head of the response: the first `length` bytes, which are gone when this returns. */
  read(bytes: Buffer, length: number): void;
  /** Refused, lost or ended; told once. */
  closed(reason: string): void;
}

// Every socket reads into it: the bytes are used up before the next one reads.
const shared = Buffer.allocUnsafeSlow(256 * 1024);

/** A socket that begins with a request of HTTP and costs as little as can be: no events, no copies. */
export class BareSocket {
  readonly #socket: Socket;
  readonly #granted: number;
  readonly #listener: BareSocketListener;
  #head: string | undefined = '';
  #isOver = false;

  constructor({ port, localAddress, request, granted }: BareSocketOptions, listener: BareSocketListener) {
    this.#listener = listener;
    this.#granted = granted;
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      localAddress,
      noDelay: true,
      onread: { buffer: shared, callback: (length) => this.#read(length) },
    });
    this.#socket.write(request);
    this.#socket.on('error', (error) => this.#closed(error.message));
    this.#socket.on('close', () => this.#closed('closed'));
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Stops reading: what comes stays with the kernel, and then with the gateway. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Gone without a word, with a reset. */
  destroy(): void {
    this.#isOver = true;
    this.#socket.resetAndDestroy();
  }

  #read(length: number): boolean {
    if (this.#isOver) return true;
    if (this.#head === undefined) this.#listener.read(shared, length);
    else this.#readHead(this.#head, length);
    return true;
  }

  #readHead(before: string, length: number): void {
    const head = before + shared.toString('latin1', 0, length);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) {
      this.#head = head;
      return;
    }
    if (!head.startsWith(`HTTP/1.1 ${this.#granted}`)) {
      this.#closed(head.slice(0, head.indexOf('\r\n')));
      this.#socket.destroy();
      return;
    }
    this.#head = undefined;
    this.#listener.opened?.();
    const used = end + 4 - before.length;
    // The listener may have destroyed it.
    if (used < length && !this.#isOver) this.#listener.read(shared.subarray(used, length), length - used);
  }

  #closed(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listener.closed(reason);
  }
}

import type { StreamResponse } from '../../src/transport/uws/sse-connection.ts';
import type { Link } from './network.ts';

/** What the library collects in a cork. */
const corkBytes = 16 * 1024;

/** The far end of a stream. */
export interface Reader {
  read(bytes: Uint8Array): void;
  closed(): void;
}

/**
 * The library's response, as the gateway sees it: it takes what does not fit into the socket too, and tells of that by
 * the result alone. It writes what it holds together with something new. When a cork ends with more than the socket
 * takes, it neither says so nor tells when the socket takes more.
 */
export class Response implements Link {
  readonly #kernelBytes: number;
  readonly #nowMs: () => number;
  readonly #reader: Reader;
  #pieces: Uint8Array[] = [];
  /** Bytes: given to the library, taken by the kernel, read by the client. */
  #appended = 0;
  #written = 0;
  #read = 0;
  #corked = 0;
  #corks = 0;
  #isArmed = false;
  #writable: (() => boolean) | undefined;
  /** The client is gone, or the gateway has closed the connection. */
  aborted: () => void = () => undefined;
  readBytes = Number.POSITIVE_INFINITY;
  progressAtMs: number;
  isAbandoned = false;
  isClosed = false;
  readonly unread: readonly Uint8Array[] = [];

  constructor(kernelBytes: number, nowMs: () => number, reader: Reader) {
    this.#kernelBytes = kernelBytes;
    this.#nowMs = nowMs;
    this.#reader = reader;
    this.progressAtMs = nowMs();
  }

  /** Also where it holds a remainder that it does not tell of. */
  get isIdle(): boolean {
    return this.#read === this.#written && !this.#isArmed;
  }

  get asLibrary(): StreamResponse {
    return this as unknown as StreamResponse;
  }

  drain(): void {}

  poll(): void {
    if (this.isAbandoned) {
      this.close();
      return;
    }
    const bytes = this.#take(Math.min(this.#written - this.#read, this.readBytes));
    if (bytes.length > 0) this.#reader.read(bytes);
    if (this.isClosed || !this.#isArmed || this.#written - this.#read >= this.#kernelBytes) return;
    this.#isArmed = false;
    this.#isArmed = this.#writable?.() === false || this.#isArmed;
  }

  // ---- what the gateway calls

  write(part: Uint8Array | string): boolean {
    if (this.isClosed) throw new Error('write on a closed response');
    const bytes = typeof part === 'string' ? Buffer.from(part) : part.slice();
    this.#pieces.push(bytes);
    this.#appended += bytes.length;
    const isHeldBack = this.#written < this.#appended - this.#corked - bytes.length;
    if (!isHeldBack && this.#corks > 0 && this.#corked + bytes.length <= corkBytes) {
      this.#corked += bytes.length;
      return true;
    }
    this.#corked = 0;
    const isTaken = this.#flush();
    if (!isTaken) this.#isArmed = true;
    return isTaken;
  }

  cork(run: () => void): this {
    this.#corks++;
    try {
      run();
    } finally {
      this.#corks--;
    }
    if (this.#corks > 0 || this.#corked === 0) return this;
    this.#corked = 0;
    this.#flush();
    return this;
  }

  onWritable(run: () => boolean): this {
    this.#writable = run;
    return this;
  }

  end(): this {
    this.close();
    return this;
  }

  close(): this {
    if (this.isClosed) return this;
    this.isClosed = true;
    this.aborted();
    this.#reader.closed();
    return this;
  }

  #flush(): boolean {
    const written = Math.min(this.#appended, this.#read + this.#kernelBytes);
    if (written > this.#written) {
      this.#written = written;
      this.progressAtMs = this.#nowMs();
    }
    return this.#written === this.#appended;
  }

  #take(count: number): Uint8Array {
    const taken: Uint8Array[] = [];
    let left = count;
    while (left > 0) {
      const piece = this.#pieces[0] as Uint8Array;
      taken.push(piece.subarray(0, left));
      if (piece.length > left) this.#pieces[0] = piece.subarray(left);
      else this.#pieces.shift();
      left -= Math.min(left, piece.length);
    }
    this.#read += count;
    return Buffer.concat(taken);
  }
}

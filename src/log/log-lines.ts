import { writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

/** Lines wait up to this size for a reader that is slow, or a disk that is full. */
const waitingMaxBytes = 1024 * 1024;
const retryMs = 100;
/** The time that a reader has, when the gateway ends, to take what waits. */
const flushMs = 1000;

/**
 * Characters that end a line, hide it or turn its direction where it is shown. JSON does not escape them, and the name
 * of a user may contain them.
 */
const misleading = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

export interface LogLinesOptions {
  /** Writes to the descriptor, without waiting for its reader. Returns the number of bytes that it took. */
  readonly write: (bytes: Uint8Array) => number;
  /** Makes the text of a line of JSON. */
  readonly format?: (json: string) => string;
  /** Called once lines are written again, with the number of those that were left out before. */
  readonly onLeftOut: (lines: number) => void;
}

/**
 * The destination of the log. A reader that is slow, stopped or gone, and a full disk, neither hold up nor end the
 * gateway: lines wait up to a bound, and further ones are left out. Each line is written by itself, because a pipe
 * takes short ones whole, and the processes of a gateway may share one.
 */
export class LogLines implements DestinationStream {
  readonly #options: LogLinesOptions;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #leftOut = 0;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: LogLinesOptions) {
    this.#options = options;
  }

  write(json: string): void {
    const { format } = this.#options;
    const text = format === undefined ? json : format(json);
    const bytes = Buffer.from(text.replace(misleading, escaped));
    if (this.#waitingBytes + bytes.length > waitingMaxBytes) {
      this.#leftOut++;
    } else {
      this.#waiting.push(bytes);
      this.#waitingBytes += bytes.length;
    }
    // With a retry under way the descriptor has just refused.
    if (this.#retry === undefined) this.#writeOut();
  }

  /** Calls `done` once all lines are written, or when the reader has had a second. pino calls this. */
  flush(done: () => void): void {
    const endMs = performance.now() + flushMs;
    const look = () => {
      if (this.#waiting.length === 0 || performance.now() >= endMs) done();
      else setTimeout(look, retryMs / 4);
    };
    look();
  }

  #writeOut(): void {
    this.#retry = undefined;
    if (!this.#takesAll()) {
      this.#retry = setTimeout(() => this.#writeOut(), retryMs);
      this.#retry.unref();
      return;
    }
    if (this.#leftOut === 0) return;
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    this.#options.onLeftOut(leftOut);
  }

  /** Whether the descriptor took all that waited. */
  #takesAll(): boolean {
    for (let line = this.#waiting[0]; line !== undefined; line = this.#waiting[0]) {
      const bytes = this.#taken(line);
      if (bytes === 0) return false;
      this.#waitingBytes -= bytes;
      if (bytes < line.length) this.#waiting[0] = line.subarray(bytes);
      else this.#waiting.shift();
    }
    return true;
  }

  #taken(line: Uint8Array): number {
    try {
      return this.#options.write(line);
    } catch {
      // Whatever is wrong with the log, there is nowhere to report it.
      return 0;
    }
  }
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** To standard output. */
export function standardOutput(options: Omit<LogLinesOptions, 'write'>): LogLines {
  // Node makes a pipe non-blocking when its stream is first used. In a worker thread the stream has no descriptor.
  const { fd = 1 }: { readonly fd?: number } = process.stdout;
  return new LogLines({ ...options, write: (bytes) => writeSync(fd, bytes) });
}

import type { Coverage, Dialect, Opening } from '../dialects/dialect.ts';
import { EventStreamClient } from '../support/event-stream-client.ts';
import { frameHeadBytes } from '../support/frame-reader.ts';
import { nowUs } from '../support/payload.ts';
import { localAddress, opcodes, RawClient } from '../support/raw-client.ts';
import type { Arrivals } from './arrivals.ts';

export interface ReceiverOptions {
  readonly port: number;
  readonly path?: string;
  readonly opening: Opening;
}

/**
 * One connection. Counts publications by the offsets that messages cover; with `arrivals` it also reads their times.
 */
export class Receiver {
  readonly ready: Promise<void>;
  /** Since `mark`. */
  publications = 0;
  frames = 0;
  bytes = 0;
  otherBytes = 0;
  seams = 0;
  /** Publications that the server said are gone. */
  missed = 0;
  closed = false;
  #position: number;
  /** Only the first messages are searched for the reply. */
  #awaitsReply = false;
  readonly #dialect: Dialect;
  readonly #client: RawClient | EventStreamClient;
  readonly #arrivals: Arrivals | undefined;
  readonly #stamps: ((message: Buffer) => readonly number[]) | undefined;

  constructor(index: number, dialect: Dialect, options: ReceiverOptions, arrivals: Arrivals | undefined) {
    const { promise, resolve, reject } = deferred();
    this.ready = promise;
    this.#dialect = dialect;
    this.#arrivals = arrivals;
    this.#stamps = arrivals === undefined ? undefined : dialect.reader();
    const { port, opening, path = dialect.path } = options;
    this.#position = opening.subscription?.since?.offset ?? -1;
    const wantedBytes = arrivals === undefined ? dialect.countingBytes : Number.POSITIVE_INFINITY;
    const read = (bytes: Buffer, start: number, end: number, length: number) => {
      if (this.#awaitsReply && dialect.isReply(bytes, start, end)) {
        this.#awaitsReply = false;
        resolve();
      } else {
        this.#read(bytes, start, end, length);
      }
    };
    const closed = (reason: string) => {
      this.closed = true;
      reject(new Error(reason));
    };
    if (dialect.streamPath !== undefined) {
      this.#awaitsReply = true;
      this.#client = new EventStreamClient(
        { port, path: dialect.streamPath(opening), localAddress: localAddress(index) },
        { event: (bytes, start, end) => read(bytes, start, end, end - start), closed },
      );
      return;
    }
    const { subprotocol } = dialect;
    const client = new RawClient(
      { port, path, subprotocol, wantedBytes, localAddress: localAddress(index) },
      {
        opened: () => {
          for (const { opcode, payload } of dialect.open(opening)) client.send(opcode, payload);
          this.#awaitsReply = opening.topics.length > 0;
          // Nothing to subscribe to: it is ready once it is connected.
          if (opening.topics.length === 0) resolve();
        },
        frame: (opcode, bytes, start, end, length) => {
          const answer = dialect.answer?.(bytes, start, end);
          if (answer !== undefined) client.send(answer.opcode, answer.payload);
          else if (opcode !== opcodes.close) read(bytes, start, end, length);
        },
        closed,
      },
    );
    this.#client = client;
  }

  mark(): void {
    this.publications = 0;
    this.frames = 0;
    this.bytes = 0;
    this.otherBytes = 0;
    this.seams = 0;
    this.missed = 0;
  }

  heartbeat(): void {
    const message = this.#dialect.heartbeat?.();
    if (message === undefined || this.closed || this.#client instanceof EventStreamClient) return;
    this.#client.send(message.opcode, message.payload);
  }

  close(): void {
    this.#client.destroy();
  }

  #read(bytes: Buffer, start: number, end: number, length: number): void {
    const frameBytes = length + frameHeadBytes(length);
    this.bytes += frameBytes;
    const covered = this.#dialect.covered(bytes, start, end, length);
    if (covered === undefined) {
      this.otherBytes += frameBytes;
      this.#miss(this.#dialect.missed?.(bytes, start, end));
    } else this.#count(covered);
    if (this.#stamps === undefined) return;
    const receivedUs = nowUs();
    for (const stamp of this.#stamps(bytes.subarray(start, end))) this.#arrivals!.add(receivedUs - stamp);
  }

  #miss(missed: Coverage | undefined): void {
    if (missed === undefined) return;
    this.missed += missed.upto - missed.after;
    this.#position = missed.upto;
  }

  #count(covered: Coverage | number): void {
    this.frames++;
    if (typeof covered === 'number') {
      this.publications += covered;
      return;
    }
    if (this.#position >= 0 && covered.after !== this.#position) this.seams++;
    this.#position = covered.upto;
    this.publications += covered.upto - covered.after;
  }
}

function deferred(): { promise: Promise<void>; resolve(): void; reject(error: Error): void } {
  let resolve = (): void => undefined;
  let reject = (_error: Error): void => undefined;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // The caller awaits the connections one after the other.
  promise.catch(() => undefined);
  return { promise, resolve: () => resolve(), reject: (error) => reject(error) };
}

import type { Dialect } from '../support/dialect.ts';
import type { Latencies } from '../support/latency.ts';
import { nowUs } from '../support/payload.ts';
import { localAddress, opcodes, RawClient } from '../support/raw-client.ts';

export interface ReceiverOptions {
  readonly port: number;
  readonly topics: readonly string[];
}

/** One connection: counts by what messages say that they cover; with `latencies` it also reads when each was made. */
export class Receiver {
  readonly ready: Promise<void>;
  /** Since `mark`. */
  publications = 0;
  frames = 0;
  seams = 0;
  closed = false;
  #position = -1;
  readonly #client: RawClient;

  constructor(index: number, dialect: Dialect, options: ReceiverOptions, latencies: Latencies | undefined) {
    const { promise, resolve, reject } = deferred();
    this.ready = promise;
    const { port, topics } = options;
    const wantedBytes = latencies === undefined ? dialect.countingBytes : Number.POSITIVE_INFINITY;
    const { subprotocol } = dialect;
    let asked = false;
    this.#client = new RawClient(
      { port, subprotocol, wantedBytes, localAddress: localAddress(index) },
      {
        opened: () => {
          for (const { opcode, payload } of dialect.subscribe(topics)) this.#client.send(opcode, payload);
          asked = true;
          // Nothing to subscribe to: being connected is all.
          if (topics.length === 0) resolve();
        },
        frame: (opcode, bytes, start, end, length) => {
          if (opcode === opcodes.close) return;
          if (asked && dialect.isReply(bytes, start, end)) {
            resolve();
            return;
          }
          const covered = dialect.covered(bytes, start, end, length);
          if (covered === undefined) return;
          this.frames++;
          this.#count(covered);
          if (latencies === undefined) return;
          const receivedUs = nowUs();
          for (const stamp of dialect.stamps(bytes.subarray(start, end))) latencies.add(receivedUs - stamp);
        },
        closed: (reason) => {
          this.closed = true;
          reject(new Error(reason));
        },
      },
    );
  }

  mark(): void {
    this.publications = 0;
    this.frames = 0;
    this.seams = 0;
  }

  close(): void {
    this.#client.destroy();
  }

  #count(covered: { readonly after: number; readonly upto: number } | number): void {
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
  // Whoever opens many looks at them one after the other.
  promise.catch(() => undefined);
  return { promise, resolve: () => resolve(), reject: (error) => reject(error) };
}

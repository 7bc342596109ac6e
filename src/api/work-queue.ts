import type { Payer } from '../topics/payer.ts';

export interface WorkQueueOptions {
  /** Calls back in a later turn of the event loop, after what the sockets have sent meanwhile. */
  readonly nextTurn: (callback: () => void) => void;
  /** Milliseconds on a clock that counts only this thread's work. */
  readonly workMs: () => number;
  /** Told how long the work of this account took, and how many bytes it has to do with. */
  readonly spent: (account: string, ms: number, bytes: number) => void;
}

/**
 * Work in pieces of some milliseconds, such as reading a large body. One piece runs per turn of the event loop,
 * whatever the number of requests, so that other clients are served in between. First come, first served.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #waiting: (() => void)[] = [];
  #isScheduled = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Resolves with what `work` returns, and rejects with what it throws. Its time is charged to the payer, if any. */
  run<T>(payer: Payer | undefined, work: () => T | PromiseLike<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push(() => {
        const startMs = this.#options.workMs();
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
        if (payer !== undefined) this.#options.spent(payer.account, this.#options.workMs() - startMs, 0);
      });
      this.#schedule();
    });
  }

  /** Charges the payer for bytes that are published, which cost time later: when they are evicted and collected. */
  charge(payer: Payer, bytes: number): void {
    this.#options.spent(payer.account, 0, bytes);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#options.nextTurn(() => {
      this.#isScheduled = false;
      this.#waiting.shift()?.();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }
}

import { SluiceError } from '../errors.ts';
import type { Payer } from '../topics/payer.ts';

export interface WorkQueueOptions {
  /** Calls back in a later turn of the event loop, after what the sockets have sent meanwhile. */
  readonly nextTurn: (callback: () => void) => void;
  /** Milliseconds on a clock that counts only this thread's work. */
  readonly workMs: () => number;
  /** Told how long the work of this account took, and how many bytes it has to do with. */
  readonly spent: (account: string, ms: number, bytes: number) => void;
  /** The milliseconds until this account may ask for more work; 0: now. */
  readonly waitMs: (account: string) => number;
  /** Work was refused because its account has spent its time. */
  readonly refused: () => void;
}

/** All work that no one is charged for. */
const uncharged = '';

/**
 * Work in pieces of some milliseconds, such as reading a large body. One piece runs per turn of the event loop,
 * whatever the number of requests, so that other clients are served in between. Accounts take turns, each with its work
 * in the order in which it came: one that asks for much waits for itself.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  /** By account, in the order of their next turns. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #isScheduled = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Resolves with what `work` returns, and rejects with what it throws. Its time is charged to the payer, if any. */
  run<T>(payer: Payer | undefined, work: () => T | PromiseLike<T>): Promise<T> {
    const account = payer?.account ?? uncharged;
    return new Promise<T>((resolve, reject) => {
      this.#push(account, () => {
        const startMs = this.#options.workMs();
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
        if (payer !== undefined) this.#options.spent(account, this.#options.workMs() - startMs, 0);
      });
    });
  }

  /**
   * As `run`, for the first piece of a request. Rejects with `rate_limited` if the payer has spent its time when its
   * turn comes: many requests may have come before any of them was charged.
   */
  begin<T>(payer: Payer | undefined, work: () => T | PromiseLike<T>): Promise<T> {
    return this.run(payer, () => {
      const retryAfterMs = payer === undefined ? 0 : this.#options.waitMs(payer.account);
      if (retryAfterMs === 0) return work();
      this.#options.refused();
      throw new SluiceError('rate_limited', undefined, { retryAfterMs });
    });
  }

  /** Charges the payer for bytes that are published, which cost time later: when they are evicted and collected. */
  charge(payer: Payer, bytes: number): void {
    this.#options.spent(payer.account, 0, bytes);
  }

  #push(account: string, piece: () => void): void {
    const pieces = this.#waiting.get(account);
    if (pieces === undefined) this.#waiting.set(account, [piece]);
    else pieces.push(piece);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#options.nextTurn(() => {
      this.#isScheduled = false;
      this.#takeNext()?.();
      if (this.#waiting.size > 0) this.#schedule();
    });
  }

  #takeNext(): (() => void) | undefined {
    for (const [account, pieces] of this.#waiting) {
      const piece = pieces.shift();
      this.#waiting.delete(account);
      if (pieces.length > 0) this.#waiting.set(account, pieces);
      return piece;
    }
    return undefined;
  }
}

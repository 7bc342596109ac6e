import type { Awaitable } from '../../awaitable.ts';
import { SluiceError } from '../../errors.ts';
import type { Turns } from '../../fanout/turns.ts';
import type { Metrics } from '../../metrics.ts';
import { TurnBudget } from '../../sessions/limits/turn-budget.ts';

/** What clients may take of the time that requests over HTTP get. */
export interface WorkLimits {
  /** In how many milliseconds this account may ask for more work; 0: now. */
  workWaitMs(account: string): number;
  spent(account: string, ms: number, bytes: number): void;
}

export interface StreamReadsOptions {
  readonly limits: WorkLimits;
  /** Milliseconds on a clock that counts only this thread's work. */
  readonly workMs: () => number;
  readonly turns: Turns;
  readonly metrics: Pick<Metrics, 'rateLimitedTotal'>;
}

/** A shorter request is read at once and charged to no one, so that clients of an address that is in debt go on. */
const smallLength = 2048;
/** A list of 1000 subscriptions takes about that long. */
const perTurnMs = 5;

/** Reads requests for streams and polls: long ones within what their clients may take, and few of them in a turn. */
export class StreamReads {
  readonly #options: StreamReadsOptions;
  readonly #budget: TurnBudget;

  constructor(options: StreamReadsOptions) {
    this.#options = options;
    this.#budget = new TurnBudget(options.turns, perTurnMs);
  }

  /**
   * Calls `read` once, now or in one of the next turns, and returns when it has. It gets the refusal, if the account
   * has no time left. `length`: characters or bytes of the request. `account`: charged for the time; undefined: no one.
   */
  run(
    length: number,
    account: string | undefined,
    read: (refusal: SluiceError | undefined) => void,
  ): Awaitable<void> {
    if (length < smallLength) return read(undefined);
    return new Promise((resolve) => {
      this.#budget.run(() => {
        this.#charged(account, read);
        resolve();
      });
    });
  }

  #charged(account: string | undefined, read: (refusal: SluiceError | undefined) => void): void {
    const refusal = this.refusal(account);
    if (refusal === undefined) this.timed(account, () => read(undefined));
    else read(refusal);
  }

  /** Why this account may not ask for more work now. */
  refusal(account: string | undefined): SluiceError | undefined {
    const { limits, metrics } = this.#options;
    const retryAfterMs = account === undefined ? 0 : limits.workWaitMs(account);
    if (retryAfterMs === 0) return undefined;
    metrics.rateLimitedTotal.inc({ scope: 'http' });
    return new SluiceError('rate_limited', undefined, { retryAfterMs });
  }

  /** Runs a part of what a client asks for, and charges its account for the time. */
  timed(account: string | undefined, run: () => void): void {
    const { limits, workMs } = this.#options;
    const startMs = workMs();
    run();
    if (account !== undefined) limits.spent(account, workMs() - startMs, 0);
  }
}

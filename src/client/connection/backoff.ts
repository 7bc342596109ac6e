import type { Runtime } from '../runtime.ts';

export interface BackoffOptions {
  /** Milliseconds before the first, second … attempt; the last one holds for all later ones. */
  readonly delaysMs?: readonly number[] | undefined;
  /**
   * How each delay is drawn, so that the clients of a gateway that crashed don't come back as one. `half`,
   * the default and what any other word means: between half of the delay and all of it; `full`: between 0 and all of
   * it; `none`: the delay itself.
   */
  readonly jitter?: 'half' | 'full' | 'none' | undefined;
  /** Attempts in a row to come back; then the client closes. Unlimited by default. */
  readonly maxAttempts?: number | undefined;
}

const defaultDelaysMs = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000];

export const unlimited = 1 / 0;

/** The smallest part of a delay that is waited, by the kind of jitter; of others it is half. */
const leastShares: Readonly<Record<string, number>> = { full: 0, none: 1 };

/** How long to wait before attempt 1, 2, 3 … */
export class Backoff {
  /** Attempts since the last `reset`. */
  attempts = 0;
  readonly #options: BackoffOptions;
  readonly #maxAttempts: number;
  readonly #runtime: Pick<Runtime, 'random'>;

  constructor(options: BackoffOptions, runtime: Pick<Runtime, 'random'>) {
    this.#options = options;
    this.#maxAttempts = options.maxAttempts ?? unlimited;
    this.#runtime = runtime;
  }

  /** No attempt is left. */
  get isOver(): boolean {
    return this.attempts >= this.#maxAttempts;
  }

  /** The number of attempts is limited. */
  get ends(): boolean {
    return this.#maxAttempts < unlimited;
  }

  /** Counts the next attempt and returns the delay before it; `undefined` when `maxAttempts` is reached. */
  next(): number | undefined {
    if (this.isOver) return undefined;
    const { delaysMs, jitter } = this.#options;
    const all = delaysMs?.length ? delaysMs : defaultDelaysMs;
    const delayMs = all[this.attempts++] ?? (all.at(-1) as number);
    const leastShare = leastShares[jitter as string] ?? 0.5;
    return Math.round(delayMs * (leastShare + (1 - leastShare) * this.#runtime.random()));
  }

  reset(): void {
    this.attempts = 0;
  }
}

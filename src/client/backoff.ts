export interface BackoffOptions {
  /** Milliseconds before the first, second … attempt; the last one holds for all later ones. */
  readonly delaysMs?: readonly number[];
  /** `full`: any time between 0 and the delay, so that the clients of a gateway that crashed don't come back as one. */
  readonly jitter?: 'none' | 'full';
  /** Attempts in a row; then the client closes. */
  readonly maxAttempts?: number;
}

const defaultDelaysMs = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000];

/** How long to wait before attempt 1, 2, 3 …; remembers how many there were in a row. */
export class Backoff {
  #attempts = 0;
  readonly #delaysMs: readonly number[];
  readonly #jitter: 'none' | 'full';
  readonly #maxAttempts: number;
  readonly #random: () => number;

  constructor(options: BackoffOptions, random: () => number) {
    this.#delaysMs = options.delaysMs?.length ? options.delaysMs : defaultDelaysMs;
    this.#jitter = options.jitter ?? 'none';
    this.#maxAttempts = options.maxAttempts ?? Number.POSITIVE_INFINITY;
    this.#random = random;
  }

  get attempts(): number {
    return this.#attempts;
  }

  /** The delay before the next attempt, which counts from now on; `undefined` when there were as many as may be. */
  next(): number | undefined {
    if (this.#attempts >= this.#maxAttempts) return undefined;
    const last = this.#delaysMs.length - 1;
    const delayMs = this.#delaysMs[Math.min(this.#attempts, last)] as number;
    this.#attempts++;
    return this.#jitter === 'full' ? Math.round(delayMs * this.#random()) : delayMs;
  }

  reset(): void {
    this.#attempts = 0;
  }
}

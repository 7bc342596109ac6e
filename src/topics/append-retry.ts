import type { Awaitable } from '../awaitable.ts';
import type { Metrics } from '../metrics.ts';
import type { AppendOutcome, AppendRequest, Engine } from './engine.ts';

/** A failed append is tried again after each of these delays. After the last the publisher gets the error. */
const retryDelaysMs = [50, 200, 800];

export interface AppendRetryOptions {
  readonly engine: Engine;
  readonly metrics: Pick<Metrics, 'engineAppendSeconds' | 'engineRetriesTotal'>;
  /** Milliseconds on a monotonic clock. */
  readonly monotonicMs: () => number;
  /** Between two tries. */
  readonly wait: (delayMs: number) => Promise<unknown>;
}

/** Passes requests to the engine. Those that fail with `engine_unavailable` are tried again, at most three times. */
export class AppendRetry {
  readonly #options: AppendRetryOptions;

  constructor(options: AppendRetryOptions) {
    this.#options = options;
  }

  /** Returns an outcome for each, in order; at once if the engine does. */
  append(requests: readonly AppendRequest[]): Awaitable<readonly AppendOutcome[]> {
    const startMs = this.#options.monotonicMs();
    const outcomes = this.#options.engine.append(requests);
    if (outcomes instanceof Promise) return this.#retriedLater(requests, outcomes, startMs);
    this.#timed(outcomes, startMs);
    return outcomes.some(isRetryable) ? this.#again(requests, outcomes) : outcomes;
  }

  /** The same, tried once. */
  once(requests: readonly AppendRequest[]): Awaitable<readonly AppendOutcome[]> {
    const startMs = this.#options.monotonicMs();
    const outcomes = this.#options.engine.append(requests);
    return outcomes instanceof Promise ? this.#timedLater(outcomes, startMs) : this.#timed(outcomes, startMs);
  }

  // The async parts are methods of their own, so that the synchronous path makes no closures (`bench -- unicast
  // --allocations`).

  async #retriedLater(
    requests: readonly AppendRequest[],
    outcome: Promise<readonly AppendOutcome[]>,
    startMs: number,
  ): Promise<readonly AppendOutcome[]> {
    const outcomes = this.#timed(await outcome, startMs);
    return outcomes.some(isRetryable) ? this.#again(requests, outcomes) : outcomes;
  }

  async #timedLater(
    outcome: Promise<readonly AppendOutcome[]>,
    startMs: number,
  ): Promise<readonly AppendOutcome[]> {
    return this.#timed(await outcome, startMs);
  }

  #timed(outcomes: readonly AppendOutcome[], startMs: number): readonly AppendOutcome[] {
    const { metrics, monotonicMs } = this.#options;
    metrics.engineAppendSeconds.observe((monotonicMs() - startMs) / 1000);
    return outcomes;
  }

  async #again(
    requests: readonly AppendRequest[],
    first: readonly AppendOutcome[],
  ): Promise<readonly AppendOutcome[]> {
    let outcomes = first;
    for (const [tries, delayMs] of retryDelaysMs.entries()) {
      const failed = requests.filter((_, i) => isRetryable(outcomes[i]));
      if (failed.length === 0 || (tries > 0 && this.#options.engine.isAway === true)) break;
      this.#options.metrics.engineRetriesTotal.inc(failed.length);
      await this.#options.wait(delayMs);
      const again = (await this.once(failed)).values();
      outcomes = outcomes.map((outcome) =>
        isRetryable(outcome) ? (again.next().value as AppendOutcome) : outcome,
      );
    }
    return outcomes;
  }
}

function isRetryable(outcome: AppendOutcome | undefined): boolean {
  return outcome !== undefined && !outcome.ok && outcome.error.code === 'engine_unavailable';
}

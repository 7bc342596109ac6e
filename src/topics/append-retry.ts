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

/**
 * Passes requests to the engine. Those that fail with `engine_unavailable` are tried again, at most three times; later
 * requests of their topics wait meanwhile, so that they don't overtake them.
 */
export class AppendRetry {
  readonly #options: AppendRetryOptions;
  /** By topic: resolves when its next requests may go to the engine. */
  readonly #held = new Map<string, Promise<unknown>>();

  constructor(options: AppendRetryOptions) {
    this.#options = options;
  }

  /** Returns an outcome for each, in order; at once if the engine does. */
  append(requests: readonly AppendRequest[]): Awaitable<readonly AppendOutcome[]> {
    if (this.#held.size > 0) {
      const earlier = requests.flatMap(({ fields }) => this.#held.get(fields.topic) ?? []);
      if (earlier.length > 0) return this.#appendAfter(earlier, requests);
    }
    return this.#append(requests);
  }

  #append(requests: readonly AppendRequest[]): Awaitable<readonly AppendOutcome[]> {
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

  async #appendAfter(
    earlier: readonly Promise<unknown>[],
    requests: readonly AppendRequest[],
  ): Promise<readonly AppendOutcome[]> {
    // Those that come later wait until the engine has these, and not for their outcomes.
    const begun = Promise.all(earlier).then(() => ({ outcomes: this.#append(requests) }));
    this.#hold(requests, begun);
    return (await begun).outcomes;
  }

  #again(
    requests: readonly AppendRequest[],
    first: readonly AppendOutcome[],
  ): Promise<readonly AppendOutcome[]> {
    const tried = this.#tryAgain(requests, first);
    this.#hold(
      requests.filter((_, i) => isRetryable(first[i])),
      tried,
    );
    return tried;
  }

  #hold(requests: readonly AppendRequest[], until: Promise<unknown>): void {
    for (const topic of new Set(requests.map(({ fields }) => fields.topic))) {
      const held = Promise.allSettled([this.#held.get(topic), until]);
      this.#held.set(topic, held);
      void held.then(() => {
        if (this.#held.get(topic) === held) this.#held.delete(topic);
      });
    }
  }

  async #tryAgain(
    requests: readonly AppendRequest[],
    first: readonly AppendOutcome[],
  ): Promise<readonly AppendOutcome[]> {
    const outcomes = [...first];
    for (const [tries, delayMs] of retryDelaysMs.entries()) {
      const failed = repeatable(requests, outcomes);
      if (failed.length === 0 || (tries > 0 && this.#options.engine.isAway === true)) break;
      this.#options.metrics.engineRetriesTotal.inc(failed.length);
      await this.#options.wait(delayMs);
      const again = await this.once(failed.map((i) => requests[i] as AppendRequest));
      for (const [at, i] of failed.entries()) outcomes[i] = again[at] as AppendOutcome;
    }
    return outcomes;
  }
}

/** Which of them have failed for now. Where a later one of the topic was committed, another try would come too late. */
function repeatable(requests: readonly AppendRequest[], outcomes: readonly AppendOutcome[]): number[] {
  const committed = new Set<string>();
  const failed: number[] = [];
  for (let i = requests.length - 1; i >= 0; i--) {
    const { topic } = (requests[i] as AppendRequest).fields;
    if (outcomes[i]?.ok === true) committed.add(topic);
    else if (isRetryable(outcomes[i]) && !committed.has(topic)) failed.push(i);
  }
  return failed.reverse();
}

function isRetryable(outcome: AppendOutcome | undefined): boolean {
  return outcome !== undefined && !outcome.ok && outcome.error.code === 'engine_unavailable';
}

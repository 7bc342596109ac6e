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

/** A call whose requests are tried again. */
interface Failing {
  readonly number: number;
  /** Topics of which a later call was stored, which was under way when this one failed: no other try may follow. */
  readonly overtaken: Set<string>;
}

/**
 * Passes requests to the engine. Those that fail with `engine_unavailable` are tried again, at most three times; later
 * requests of their topics wait meanwhile, so that they don't overtake them.
 */
export class AppendRetry {
  readonly #options: AppendRetryOptions;
  /** By topic: resolves when its next requests may go to the engine. */
  readonly #held = new Map<string, Promise<unknown>>();
  /** Calls that the engine was given: each has its number. */
  #calls = 0;
  /** By topic. */
  readonly #failing = new Map<string, Set<Failing>>();

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
    const number = ++this.#calls;
    const outcomes = this.#options.engine.append(requests);
    if (outcomes instanceof Promise) return this.#retriedLater(requests, outcomes, startMs, number);
    this.#timed(outcomes, startMs);
    return this.#retried(requests, outcomes, number);
  }

  #retried(
    requests: readonly AppendRequest[],
    outcomes: readonly AppendOutcome[],
    number: number,
  ): Awaitable<readonly AppendOutcome[]> {
    if (this.#failing.size > 0) this.#overtake(requests, outcomes, number);
    return outcomes.some(isRetryable) ? this.#again(requests, outcomes, number) : outcomes;
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
    number: number,
  ): Promise<readonly AppendOutcome[]> {
    return this.#retried(requests, this.#timed(await outcome, startMs), number);
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
    number: number,
  ): Promise<readonly AppendOutcome[]> {
    const failed = requests.filter((_, i) => isRetryable(first[i]));
    const failing = { number, overtaken: new Set<string>() };
    for (const { fields } of failed)
      this.#failing.set(fields.topic, (this.#failing.get(fields.topic) ?? new Set()).add(failing));
    const tried = this.#tryAgain(requests, first, failing).finally(() => {
      for (const { fields } of failed) this.#settled(fields.topic, failing);
    });
    this.#hold(failed, tried);
    return tried;
  }

  /** Those of the requests that were stored have overtaken calls before theirs. */
  #overtake(requests: readonly AppendRequest[], outcomes: readonly AppendOutcome[], number: number): void {
    for (const [i, { fields }] of requests.entries()) {
      if (outcomes[i]?.ok !== true) continue;
      for (const failing of this.#failing.get(fields.topic) ?? []) {
        if (failing.number >= number) continue;
        failing.overtaken.add(fields.topic);
        this.#settled(fields.topic, failing);
      }
    }
  }

  /** It is not tried again, at least in this topic. */
  #settled(topic: string, failing: Failing): void {
    const all = this.#failing.get(topic);
    all?.delete(failing);
    if (all?.size === 0) this.#failing.delete(topic);
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
    { number, overtaken }: Failing,
  ): Promise<readonly AppendOutcome[]> {
    const outcomes = [...first];
    for (const [tries, delayMs] of retryDelaysMs.entries()) {
      if (repeatable(requests, outcomes, overtaken).length === 0) break;
      if (tries > 0 && this.#options.engine.isAway === true) break;
      await this.#options.wait(delayMs);
      const failed = repeatable(requests, outcomes, overtaken);
      if (failed.length === 0) break;
      this.#options.metrics.engineRetriesTotal.inc(failed.length);
      const repeats = failed.map((i) => requests[i] as AppendRequest);
      const again = await this.once(repeats);
      this.#overtake(repeats, again, number);
      for (const [at, i] of failed.entries()) outcomes[i] = again[at] as AppendOutcome;
    }
    return outcomes;
  }
}

/** Which of them have failed for now. Where a later one of the topic was committed, another try would come too late. */
function repeatable(
  requests: readonly AppendRequest[],
  outcomes: readonly AppendOutcome[],
  overtaken: ReadonlySet<string>,
): number[] {
  const committed = new Set(overtaken);
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

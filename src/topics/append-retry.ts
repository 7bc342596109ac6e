import type { Awaitable } from '../awaitable.ts';
import type { Metrics } from '../metrics.ts';
import { AppendLine, type AppendLinePort, isPassing, isStored } from './append-line.ts';
import type { AppendOutcome, AppendRequest, Engine } from './engine.ts';

export interface AppendRetryOptions {
  readonly engine: Engine;
  readonly metrics: Pick<Metrics, 'engineAppendSeconds' | 'engineRetriesTotal'>;
  /** Milliseconds on a monotonic clock. */
  readonly monotonicMs: () => number;
  /** Between two tries. */
  readonly wait: (delayMs: number) => Promise<unknown>;
}

/** Requests that the engine has. */
interface Call {
  /** Ascends from call to call. */
  readonly number: number;
  readonly requests: readonly AppendRequest[];
  readonly outcomes: Promise<readonly AppendOutcome[]>;
  /** Topics of which a later call was stored. */
  overtaken: Set<string> | undefined;
}

/**
 * Passes requests to the engine, and those that fail with `engine_unavailable` again. What is stored of a topic is in
 * the order of the calls: while one of it is to be tried again, later ones wait in a line behind it.
 */
export class AppendRetry {
  readonly #options: AppendRetryOptions;
  #calls = 0;
  /** In their order. */
  readonly #underWay = new Set<Call>();
  /** By topic. Nothing else of such a topic is given to the engine. */
  readonly #lines = new Map<string, AppendLine>();
  readonly #port: AppendLinePort;

  constructor(options: AppendRetryOptions) {
    this.#options = options;
    const { engine, wait, metrics } = options;
    this.#port = {
      engine,
      wait,
      append: async (requests) => this.once(requests),
      othersDone: (topic) => this.#othersDone(topic),
      repeated: (count) => metrics.engineRetriesTotal.inc(count),
      ended: (topic) => this.#lines.delete(topic),
    };
  }

  /** Returns an outcome for each, in order; at once if the engine does. */
  append(requests: readonly AppendRequest[]): Awaitable<readonly AppendOutcome[]> {
    if (this.#lines.size > 0 && requests.some(({ fields }) => this.#lines.has(fields.topic)))
      return this.#appendInLine(requests);
    const startMs = this.#options.monotonicMs();
    const number = ++this.#calls;
    const outcomes = this.#options.engine.append(requests);
    if (outcomes instanceof Promise)
      return this.#appendedLater({ number, requests, outcomes, overtaken: undefined }, startMs);
    this.#timed(outcomes, startMs);
    return outcomes.some(isPassing) ? this.#again(number, requests, outcomes) : outcomes;
  }

  /** The same, tried once. */
  once(requests: readonly AppendRequest[]): Awaitable<readonly AppendOutcome[]> {
    const startMs = this.#options.monotonicMs();
    const outcomes = this.#options.engine.append(requests);
    return outcomes instanceof Promise ? this.#timedLater(outcomes, startMs) : this.#timed(outcomes, startMs);
  }

  // The async parts are methods of their own, so that the synchronous path makes no closures (`bench -- unicast
  // --allocations`).

  async #appendedLater(call: Call, startMs: number): Promise<readonly AppendOutcome[]> {
    const { number, requests } = call;
    this.#underWay.add(call);
    const outcomes = this.#timed(await call.outcomes, startMs);
    this.#underWay.delete(call);
    this.#overtake(call, outcomes);
    return outcomes.some(isPassing) ? this.#again(number, requests, outcomes, call.overtaken) : outcomes;
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

  /** What was stored of a call has overtaken what was not, or is not known to be, of the calls before it. */
  #overtake({ number, requests }: Call, outcomes: readonly AppendOutcome[]): void {
    const [earliest] = this.#underWay;
    if ((earliest === undefined || earliest.number > number) && this.#lines.size === 0) return;
    const topics = [...storedAt(requests, outcomes).keys()];
    for (const topic of topics) this.#lines.get(topic)?.overtakenBy(number);
    for (const earlier of this.#underWay) {
      if (earlier.number > number) return;
      earlier.overtaken = new Set([...(earlier.overtaken ?? []), ...topics]);
    }
  }

  /** Tries again what has failed for now and was not overtaken. */
  #again(
    number: number,
    requests: readonly AppendRequest[],
    outcomes: readonly AppendOutcome[],
    overtaken?: ReadonlySet<string>,
  ): Promise<readonly AppendOutcome[]> {
    const lastStored = storedAt(requests, outcomes);
    const final = outcomes.map((outcome, i) => {
      const request = requests[i] as AppendRequest;
      const { topic } = request.fields;
      if (!isPassing(outcome) || overtaken?.has(topic) || (lastStored.get(topic) ?? -1) > i) return outcome;
      const line = this.#lines.get(topic);
      if (line !== undefined) return line.add(number, request, outcome);
      const newLine = new AppendLine(topic, this.#port);
      this.#lines.set(topic, newLine);
      const tried = newLine.add(number, request, outcome);
      void newLine.run();
      return tried;
    });
    return Promise.all(final);
  }

  async #appendInLine(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    const number = ++this.#calls;
    const inLine = requests.map((request) => this.#lines.get(request.fields.topic)?.add(number, request));
    const others = requests.filter((_, i) => inLine[i] === undefined);
    const outcomes = (others.length === 0 ? [] : await this.append(others)).values();
    return Promise.all(inLine.map((outcome) => outcome ?? (outcomes.next().value as AppendOutcome)));
  }

  async #othersDone(topic: string): Promise<void> {
    for (const { requests, outcomes } of [...this.#underWay])
      if (requests.some(({ fields }) => fields.topic === topic)) await outcomes;
  }
}

/** By topic: the index of the last request that was stored. */
function storedAt(
  requests: readonly AppendRequest[],
  outcomes: readonly AppendOutcome[],
): ReadonlyMap<string, number> {
  const lastStored = new Map<string, number>();
  for (const [i, { fields }] of requests.entries())
    if (isStored(outcomes[i] as AppendOutcome)) lastStored.set(fields.topic, i);
  return lastStored;
}

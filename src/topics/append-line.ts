import type { AppendOutcome, AppendRequest, Engine } from './engine.ts';

/** A failed append is tried again after each of these delays. After the last the publisher gets the error. */
const retryDelaysMs = [50, 200, 800];
/** Requests that are tried at once. */
const requestsPerTry = 500;

export interface AppendLinePort {
  readonly engine: Pick<Engine, 'isAway'>;
  /** Tries them once. */
  append(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]>;
  /** Resolves when the engine has none of the topic that it was given before the line began. */
  othersDone(topic: string): Promise<void>;
  /** Between two tries. */
  wait(delayMs: number): Promise<unknown>;
  /** So many requests are tried again. */
  repeated(count: number): void;
  /** None waits any more. */
  ended(topic: string): void;
}

/** A request in a line. */
interface Waiting {
  /** That of its call. */
  readonly number: number;
  readonly request: AppendRequest;
  readonly resolve: (outcome: AppendOutcome) => void;
  /** Of the last try. */
  outcome: AppendOutcome | undefined;
  /** How many have failed. */
  tries: number;
}

/**
 * The requests of one topic of which the first has failed for now. They are tried together, in the order of their
 * calls, each at most three times again. One is not tried again after a later one was stored.
 */
export class AppendLine {
  readonly #topic: string;
  readonly #port: AppendLinePort;
  #waiting: Waiting[] = [];

  constructor(topic: string, port: AppendLinePort) {
    this.#topic = topic;
    this.#port = port;
  }

  /** Resolves with the outcome that is final. `failed`: that of a first try. */
  add(number: number, request: AppendRequest, failed?: AppendOutcome): Promise<AppendOutcome> {
    return new Promise((resolve) => {
      const later = this.#waiting.findIndex((each) => each.number > number);
      const at = later < 0 ? this.#waiting.length : later;
      const tries = failed === undefined ? 0 : 1;
      this.#waiting.splice(at, 0, { number, request, resolve, outcome: failed, tries });
    });
  }

  /** A call with this number, which the engine had when the line began, was stored. */
  overtakenBy(number: number): void {
    const overtaken = this.#waiting.filter((each) => each.number < number);
    this.#waiting = this.#waiting.filter((each) => each.number >= number);
    for (const { resolve, outcome } of overtaken) resolve(outcome as AppendOutcome);
  }

  /** Call it once, in the turn in which the first is added. */
  async run(): Promise<void> {
    await this.#pause();
    await this.#port.othersDone(this.#topic);
    while (this.#waiting.length > 0) {
      await this.#try(this.#waiting.splice(0, requestsPerTry));
      await this.#pause();
    }
    this.#port.ended(this.#topic);
  }

  /** Before the next try of what has failed. */
  async #pause(): Promise<void> {
    const tries = this.#waiting[0]?.tries ?? 0;
    if (tries > 0) await this.#port.wait(retryDelaysMs[tries - 1] as number);
  }

  async #try(tried: readonly Waiting[]): Promise<void> {
    const repeated = tried.filter(({ tries }) => tries > 0).length;
    if (repeated > 0) this.#port.repeated(repeated);
    const outcomes = await this.#port.append(tried.map(({ request }) => request));
    const lastStored = outcomes.findLastIndex(isStored);
    const again = tried.filter((each, i) => {
      each.outcome = outcomes[i] as AppendOutcome;
      const isAgain = i >= lastStored && this.#isAgain(each, each.outcome);
      if (!isAgain) each.resolve(each.outcome);
      return isAgain;
    });
    this.#waiting.unshift(...again);
  }

  #isAgain(waiting: Waiting, outcome: AppendOutcome): boolean {
    if (!isPassing(outcome)) return false;
    const isRepeat = waiting.tries++ > 0;
    return waiting.tries <= retryDelaysMs.length && !(isRepeat && this.#port.engine.isAway === true);
  }
}

/** Nothing that was called for before it may be stored from now on. */
export function isStored(outcome: AppendOutcome): boolean {
  return outcome.ok || outcome.isCommitted === true;
}

/** It has failed for now. */
export function isPassing(outcome: AppendOutcome): boolean {
  return !outcome.ok && outcome.error.code === 'engine_unavailable';
}

import type { SluiceError } from '../errors.ts';
import type { AppendOutcome, AppendRequest } from '../topics/engine.ts';

/** One call of `add`, resolved once all its requests have their outcomes. */
interface AppendCall {
  readonly outcomes: AppendOutcome[];
  readonly resolve: (outcomes: readonly AppendOutcome[]) => void;
  missing: number;
}

/** A request that waits for its outcome. */
export interface QueuedAppend {
  readonly request: AppendRequest;
  readonly call: AppendCall;
  /** Of its outcome. */
  readonly index: number;
}

export function failed(error: SluiceError): AppendOutcome {
  return { ok: false, error };
}

/** Topics without requests are dropped when this many topics are counted, or later. */
const pruneAtLeast = 2000;

/** Requests in the order of their calls, until each has its outcome. */
export class AppendQueue {
  #queue: QueuedAppend[] = [];
  /**
   * Requests without an outcome, per topic. Topics stay with a count of 0: V8 replaces the table of a `Map` whose
   * entries come and go, and once one table is old, all later ones survive until the next mark-compact.
   */
  readonly #unsettled = new Map<string, number>();
  #pruneAt = pruneAtLeast;

  /** Number of requests that were not taken yet. */
  get count(): number {
    return this.#queue.length;
  }

  /** Whether a request of this topic has no outcome yet. */
  has(topic: string): boolean {
    return (this.#unsettled.get(topic) ?? 0) > 0;
  }

  /** Resolves with the outcomes, in the order of the requests. */
  add(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    if (requests.length === 0) return Promise.resolve([]);
    return new Promise((resolve) => {
      const outcomes = new Array<AppendOutcome>(requests.length);
      const call = { outcomes, resolve, missing: requests.length };
      for (let index = 0; index < requests.length; index++) {
        const request = requests[index] as AppendRequest;
        this.#count(request.fields.topic);
        this.#queue.push({ request, call, index });
      }
    });
  }

  /**
   * Takes the requests of the next calls: at most `max`, unless the first call has more. Those of one call stay
   * together, so that none is committed after one before it has failed. Each must be settled.
   */
  take(max: number): readonly QueuedAppend[] {
    if (this.#queue.length > max) return this.#queue.splice(0, this.#callsWithin(max));
    const all = this.#queue;
    this.#queue = [];
    return all;
  }

  #callsWithin(max: number): number {
    const divided = this.#queue[max]?.call;
    let count = max;
    while (count > 0 && this.#queue[count - 1]?.call === divided) count--;
    if (count === 0) for (count = max; this.#queue[count]?.call === divided; ) count++;
    return count;
  }

  settle(taken: readonly QueuedAppend[], outcomeOf: (index: number) => AppendOutcome): void {
    for (let i = 0; i < taken.length; i++) {
      const { request, call, index } = taken[i] as QueuedAppend;
      const { topic } = request.fields;
      this.#unsettled.set(topic, (this.#unsettled.get(topic) ?? 1) - 1);
      call.outcomes[index] = outcomeOf(i);
      if (--call.missing === 0) call.resolve(call.outcomes);
    }
  }

  #count(topic: string): void {
    const count = this.#unsettled.get(topic);
    if (count === undefined && this.#unsettled.size >= this.#pruneAt) this.#prune();
    this.#unsettled.set(topic, (count ?? 0) + 1);
  }

  #prune(): void {
    for (const [topic, count] of this.#unsettled) if (count === 0) this.#unsettled.delete(topic);
    this.#pruneAt = Math.max(pruneAtLeast, 2 * this.#unsettled.size);
  }
}

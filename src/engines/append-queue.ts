import type { SluiceError } from '../errors.ts';
import type { AppendOutcome, AppendRequest } from '../topics/engine.ts';

/** A request that waits for its outcome. */
export interface QueuedAppend {
  readonly request: AppendRequest;
  readonly settle: (outcome: AppendOutcome) => void;
}

export function failed(error: SluiceError): AppendOutcome {
  return { ok: false, error };
}

/** Requests in the order of their calls, until each has its outcome. */
export class AppendQueue {
  #queue: QueuedAppend[] = [];
  /** Requests without an outcome, per topic. */
  readonly #unsettled = new Map<string, number>();

  /** Number of requests that were not taken yet. */
  get count(): number {
    return this.#queue.length;
  }

  /** Whether a request of this topic has no outcome yet. */
  has(topic: string): boolean {
    return this.#unsettled.has(topic);
  }

  /** Resolves with the outcomes, in the order of the requests. */
  add(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    if (requests.length === 0) return Promise.resolve([]);
    return new Promise((resolve) => {
      const outcomes = new Array<AppendOutcome>(requests.length);
      let missing = requests.length;
      for (const [i, request] of requests.entries()) {
        const { topic } = request.fields;
        this.#unsettled.set(topic, (this.#unsettled.get(topic) ?? 0) + 1);
        const settle = (outcome: AppendOutcome) => {
          outcomes[i] = outcome;
          if (--missing === 0) resolve(outcomes);
        };
        this.#queue.push({ request, settle });
      }
    });
  }

  /** Takes at most `max` requests. Each must be settled. */
  take(max: number): readonly QueuedAppend[] {
    if (this.#queue.length > max) return this.#queue.splice(0, max);
    const all = this.#queue;
    this.#queue = [];
    return all;
  }

  settle(taken: readonly QueuedAppend[], outcomeOf: (index: number) => AppendOutcome): void {
    for (const [i, { request, settle }] of taken.entries()) {
      const { topic } = request.fields;
      const left = (this.#unsettled.get(topic) ?? 1) - 1;
      if (left === 0) this.#unsettled.delete(topic);
      else this.#unsettled.set(topic, left);
      settle(outcomeOf(i));
    }
  }
}

import type { AppendOutcome, AppendRequest } from '../../topics/engine.ts';

/** One publication and whoever waits for its answer. */
export interface QueuedAppend {
  readonly request: AppendRequest;
  readonly answer: (outcome: AppendOutcome) => void;
}

/** What is to be appended, in the order in which it was asked for, until each is answered. */
export class AppendQueue {
  #queue: QueuedAppend[] = [];
  /** How many requests of a topic are not answered yet. */
  readonly #unanswered = new Map<string, number>();

  /** Not taken yet. */
  get count(): number {
    return this.#queue.length;
  }

  /** Whether a request of this topic is not answered yet. */
  has(topic: string): boolean {
    return this.#unanswered.has(topic);
  }

  /** Resolves when all of them are answered, with the answers in their order. */
  add(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    if (requests.length === 0) return Promise.resolve([]);
    return new Promise((resolve) => {
      const outcomes: AppendOutcome[] = [];
      // Requests are taken, and so answered, in the order in which they wait.
      const answer = (outcome: AppendOutcome) => {
        outcomes.push(outcome);
        if (outcomes.length === requests.length) resolve(outcomes);
      };
      for (const request of requests) {
        const { topic } = request.fields;
        this.#unanswered.set(topic, (this.#unanswered.get(topic) ?? 0) + 1);
        this.#queue.push({ request, answer });
      }
    });
  }

  /** The next, at most so many. Each must be answered. */
  take(max: number): readonly QueuedAppend[] {
    if (this.#queue.length > max) return this.#queue.splice(0, max);
    const all = this.#queue;
    this.#queue = [];
    return all;
  }

  answer(taken: readonly QueuedAppend[], outcomeOf: (index: number) => AppendOutcome): void {
    for (const [i, { request, answer }] of taken.entries()) {
      const { topic } = request.fields;
      const left = (this.#unanswered.get(topic) ?? 1) - 1;
      if (left === 0) this.#unanswered.delete(topic);
      else this.#unanswered.set(topic, left);
      answer(outcomeOf(i));
    }
  }
}

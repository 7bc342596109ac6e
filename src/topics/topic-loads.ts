import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Topic } from './topic.ts';

/** How long stored topics are loaded before the event loop gets a turn. */
const loadTurnMs = 10;

/** Loads topics out of the engine: each at most once at a time. */
export class TopicLoads {
  readonly #loading = new Map<string, Promise<Topic | undefined>>();
  readonly #load: (name: string) => Promise<Topic | undefined>;
  readonly #monotonicMs: () => number;

  constructor(load: (name: string) => Promise<Topic | undefined>, monotonicMs: () => number) {
    this.#load = load;
    this.#monotonicMs = monotonicMs;
  }

  load(name: string): Promise<Topic | undefined> {
    let loading = this.#loading.get(name);
    if (loading === undefined) {
      loading = this.#load(name).finally(() => this.#loading.delete(name));
      this.#loading.set(name, loading);
    }
    return loading;
  }

  /** One after the other. Rejects with the reason of the signal once that is aborted. */
  async loadAll(names: Iterable<string>, signal: AbortSignal | undefined): Promise<void> {
    let turnBeganMs = this.#monotonicMs();
    for (const name of names) {
      signal?.throwIfAborted();
      await this.load(name);
      if (this.#monotonicMs() - turnBeganMs < loadTurnMs) continue;
      // Process signals are handled only between turns.
      await nextTurn();
      turnBeganMs = this.#monotonicMs();
    }
    signal?.throwIfAborted();
  }
}

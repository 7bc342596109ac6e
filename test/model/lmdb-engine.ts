import { LmdbEngine } from '../../src/engines/lmdb/engine.ts';
import type { LmdbOptions } from '../../src/engines/lmdb/options.ts';
import type { EngineFeed, StoredTopic } from '../../src/topics/engine.ts';
import type { ModelEngine } from './engine.ts';
import type { Model } from './model.ts';
import { hear, watched } from './watched.ts';

/** The engine of a gateway on a real data folder, which it has once the gateway before it has closed it. */
export class LmdbNode extends LmdbEngine implements ModelEngine {
  isSlow = false;
  failures = 0;
  readonly #model: Model;
  readonly #former: LmdbNode | undefined;
  readonly #ended: Promise<void>;
  #end: () => void = () => undefined;

  constructor(options: LmdbOptions, model: Model, former: LmdbNode | undefined) {
    super(options);
    this.#model = model;
    this.#former = former;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Resolves when it has been closed. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  override async open(feed: EngineFeed, signal?: AbortSignal): Promise<void> {
    await this.#former?.ended;
    await super.open(watched(this.#model, feed), signal);
  }

  override async load(topic: string): Promise<StoredTopic | undefined> {
    return hear(this.#model, topic, await super.load(topic));
  }

  override async close(): Promise<void> {
    await super.close();
    this.#end();
  }

  commit(): void {}

  commitAll(): void {}

  reset(): void {}
}

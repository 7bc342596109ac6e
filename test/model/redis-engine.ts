import type { RedisOptions } from '../../src/engines/redis/options.ts';
import { RedisUpstream } from '../../src/engines/redis/upstream.ts';
import { ReplicaEngine } from '../../src/engines/replica/engine.ts';
import type { EngineFeed, StoredTopic } from '../../src/topics/engine.ts';
import type { ModelEngine } from './engine.ts';
import type { Model } from './model.ts';

/** The engine of a node on a real Redis. It tells the model what it hears, before its gateway hears of it. */
export class RedisEngine extends ReplicaEngine implements ModelEngine {
  isSlow = false;
  failures = 0;
  readonly #model: Model;

  constructor(options: RedisOptions, model: Model) {
    super({ upstream: new RedisUpstream(options), nowMs: options.nowMs });
    this.#model = model;
  }

  override open(feed: EngineFeed, signal?: AbortSignal): Promise<void> {
    const watched: EngineFeed = {
      appended: (topic, epoch, publications) => {
        this.#model.heard(topic, epoch, publications);
        feed.appended(topic, epoch, publications);
      },
      reset: (...about) => {
        const [topic, , , stored] = about;
        this.#heard(topic, stored);
        feed.reset(...about);
      },
      missed: (commits) => feed.missed?.(commits),
      degraded: (cause) => feed.degraded(cause),
    };
    return super.open(watched, signal);
  }

  override async load(topic: string): Promise<StoredTopic | undefined> {
    const stored = await super.load(topic);
    this.#heard(topic, stored);
    return stored;
  }

  #heard(topic: string, stored: StoredTopic | undefined): void {
    if (stored !== undefined)
      this.#model.heard(topic, stored.epoch, [...stored.publications, ...stored.state]);
  }

  commit(): void {}

  commitAll(): void {}

  reset(): void {}
}

/** Hears of everything, also of what is gone before a node that was cut off hears of it. */
export const observer: EngineFeed = {
  appended: () => undefined,
  reset: () => undefined,
  degraded: () => undefined,
};

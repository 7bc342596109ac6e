import type { RedisOptions } from '../../src/engines/redis/options.ts';
import { RedisUpstream } from '../../src/engines/redis/upstream.ts';
import { ReplicaEngine } from '../../src/engines/replica/engine.ts';
import type { EngineFeed, StoredTopic } from '../../src/topics/engine.ts';
import type { ModelEngine } from './engine.ts';
import type { Model } from './model.ts';
import { hear, watched } from './watched.ts';

/** The engine of a node on a real Redis. */
export class RedisEngine extends ReplicaEngine implements ModelEngine {
  isSlow = false;
  failures = 0;
  readonly #model: Model;

  constructor(options: RedisOptions, model: Model) {
    super({ upstream: new RedisUpstream(options), nowMs: options.nowMs });
    this.#model = model;
  }

  override open(feed: EngineFeed, signal?: AbortSignal): Promise<void> {
    return super.open(watched(this.#model, feed), signal);
  }

  override async load(topic: string): Promise<StoredTopic | undefined> {
    return hear(this.#model, topic, await super.load(topic));
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

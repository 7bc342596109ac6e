import type { EngineFeed, StoredTopic } from '../../src/topics/engine.ts';
import type { Model } from './model.ts';

/** A feed that tells the model what it hears, before its gateway hears of it. */
export function watched(model: Model, feed: EngineFeed): EngineFeed {
  return {
    appended: (topic, epoch, publications) => {
      model.heard(topic, epoch, publications);
      feed.appended(topic, epoch, publications);
    },
    reset: (...about) => {
      const [topic, , , stored] = about;
      hear(model, topic, stored);
      feed.reset(...about);
    },
    missed: (commits) => feed.missed?.(commits),
    degraded: (cause) => feed.degraded(cause),
  };
}

/** Returns what was loaded of a topic, once the model has heard of it. */
export function hear(model: Model, topic: string, stored: StoredTopic | undefined): StoredTopic | undefined {
  if (stored !== undefined) model.heard(topic, stored.epoch, [...stored.publications, ...stored.state]);
  return stored;
}

import type { NamespaceOptions } from '../config/namespaces.ts';
import { namespaceOptions } from '../config.ts';
import { Encoder } from '../fanout/encoder.ts';
import { Fanout } from '../fanout/fanout.ts';
import type { WorkBudget } from '../fanout/refresher.ts';
import { eventLoop } from '../fanout/schedule.ts';
import type { Broker } from '../topics/broker.ts';
import type { Topic } from '../topics/topic.ts';
import { namespaceOf } from '../topics/topic-name.ts';
import type { Environment } from './environment.ts';

/** What batches, encodes and sends publications to their subscribers. */
export function createFanout({ config, metrics }: Environment, broker: Broker, budget: WorkBudget): Fanout {
  const encoder = new Encoder({
    compressMinBytes: config.compressMinBytes,
    dictionaryMinBytes: config.dictionaryMinBytes,
    nowMs: eventLoop.nowMs,
    metrics,
  });
  const optionsOf = (topic: Topic) => namespaceOptions(config, namespaceOf(topic.name));
  return new Fanout({
    broker,
    encoder,
    turns: eventLoop,
    metrics,
    batch: (topic) => {
      const { batchMaxDelayMs, batchMaxBytes, batchMaxPublications } = optionsOf(topic);
      return {
        maxDelayMs: batchMaxDelayMs,
        maxBytes: batchMaxBytes,
        maxPublications: batchMaxPublications,
      };
    },
    refresh: {
      plans: [
        ...new Map(Object.values(config.namespaces).map((options) => [planOf(options), options])).values(),
      ]
        .filter(({ refreshMs }) => refreshMs > 0)
        .map((options) => ({
          everyMs: options.refreshMs,
          onlyChanged: options.refresh === 'changed',
          includes: (topic) => planOf(optionsOf(topic)) === planOf(options),
        })),
      pageBytes: Math.min(config.batchMaxBytes, config.backpressureMaxBytes / 4),
      budget,
    },
    viewsPerTopic: config.viewsPerTopic,
    viewsMax: config.viewsMax,
  });
}

/** Namespaces with the same one are refreshed together. */
function planOf({ refreshMs, refresh }: NamespaceOptions): string {
  return `${refreshMs} ${refresh}`;
}

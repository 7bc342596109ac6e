import { namespaceOptions } from '../config.ts';
import { Encoder } from '../fanout/encoder.ts';
import { Fanout } from '../fanout/fanout.ts';
import { eventLoop } from '../fanout/schedule.ts';
import type { Broker } from '../topics/broker.ts';
import type { Topic } from '../topics/topic.ts';
import { namespaceOf } from '../topics/topic-name.ts';
import type { Environment } from './environment.ts';

/** What batches, encodes and sends publications to their subscribers. */
export function createFanout({ config, metrics }: Environment, broker: Broker): Fanout {
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
    refresh: (topic) => {
      const { refreshMs, refresh } = optionsOf(topic);
      return { everyMs: refreshMs, onlyChanged: refresh === 'changed' };
    },
    viewsPerTopic: config.viewsPerTopic,
    viewsMax: config.viewsMax,
  });
}

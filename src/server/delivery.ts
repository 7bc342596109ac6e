import { namespaceOptions } from '../config.ts';
import { Encoder } from '../fanout/encoder.ts';
import { Fanout } from '../fanout/fanout.ts';
import { eventLoop } from '../fanout/schedule.ts';
import type { Broker } from '../topics/broker.ts';
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
  return new Fanout({
    broker,
    encoder,
    turns: eventLoop,
    metrics,
    batch: (topic) => {
      const { batchMaxDelayMs, batchMaxBytes } = namespaceOptions(config, namespaceOf(topic.name));
      return { maxDelayMs: batchMaxDelayMs, maxBytes: batchMaxBytes };
    },
    viewsPerTopic: config.viewsPerTopic,
    viewsMax: config.viewsMax,
  });
}

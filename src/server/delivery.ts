import type { NamespaceOptions } from '../config/namespaces.ts';
import { type Config, namespaceOptions } from '../config.ts';
import { Encoder } from '../fanout/encoder.ts';
import { Fanout } from '../fanout/fanout.ts';
import type { WorkBudget } from '../fanout/refresher.ts';
import { eventLoop } from '../fanout/turns.ts';
import type { BatchOptions } from '../fanout/view.ts';
import { namespaceOf } from '../protocol/namespace.ts';
import type { Broker } from '../topics/broker.ts';
import type { Topic } from '../topics/topic.ts';
import type { Environment } from './environment.ts';
import { NamespaceTable } from './namespace-table.ts';

export interface Delivery {
  readonly fanout: Fanout;
  /** Reads the options of batches again, also for existing topics. */
  reload(): void;
}

/** What batches, encodes and sends publications to their subscribers. */
export function createDelivery(
  { config, metrics }: Environment,
  broker: Broker,
  budget: WorkBudget,
): Delivery {
  const encoder = new Encoder({
    compressMinBytes: config.compressMinBytes,
    dictionaryMinBytes: config.dictionaryMinBytes,
    nowMs: eventLoop.nowMs,
    metrics,
  });
  const optionsOf = (topic: Topic) => namespaceOptions(config, namespaceOf(topic.name));
  const batches = new NamespaceTable<BatchOptions>(config, (options) => ({
    maxDelayMs: options.batchMaxDelayMs,
    maxBytes: options.batchMaxBytes,
    maxPublications: options.batchMaxPublications,
  }));
  const fanout = new Fanout({
    broker,
    encoder,
    turns: eventLoop,
    metrics,
    batch: (topic) => batches.of(namespaceOf(topic.name)),
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
      get pageBytes() {
        return pageBytesOf(config);
      },
      budget,
    },
    viewsPerTopic: config.viewsPerTopic,
    viewsMax: config.viewsMax,
  });
  return { fanout, reload: () => batches.reload() };
}

/** The size of a page of catch-up or of a snapshot: of a batch, and a quarter of what a session may have unsent. */
export function pageBytesOf({
  batchMaxBytes,
  backpressureMaxBytes,
}: Pick<Config, 'batchMaxBytes' | 'backpressureMaxBytes'>): number {
  return Math.min(batchMaxBytes, backpressureMaxBytes / 4);
}

/** Namespaces with the same one are refreshed together. */
function planOf({ refreshMs, refresh }: NamespaceOptions): string {
  return `${refreshMs} ${refresh}`;
}

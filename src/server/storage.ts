import { engines } from '../engines/engines.ts';
import { namespaceOf } from '../protocol/namespace.ts';
import { Broker, type BrokerOptions } from '../topics/broker.ts';
import type { Engine } from '../topics/engine.ts';
import { HotTopics } from '../topics/hot-topics.ts';
import type { TopicOptions } from '../topics/topic.ts';
import type { Environment } from './environment.ts';
import { NamespaceTable } from './namespace-table.ts';

export interface Storage {
  readonly engine: Engine;
  readonly broker: Broker;
  /** Counts what `broker` feeds. */
  readonly hotTopics: HotTopics;
  /** The options of the topics of a namespace. */
  readonly topicOptions: (namespace: string) => TopicOptions;
  /** Reads the options of namespaces again, also for existing topics. */
  reload(): void;
}

/**
 * Topics and the engine that stores them: `given`, or the one of the configuration. The broker is not open yet.
 * `charges`: absent where no client publishes.
 */
export async function createStorage(
  { config, metrics, monotonicMs }: Pick<Environment, 'config' | 'metrics' | 'monotonicMs'>,
  given?: Engine,
  charges?: Pick<BrokerOptions, 'chargeSending' | 'makers'>,
): Promise<Storage> {
  const table = new NamespaceTable<TopicOptions>(config, (options) => ({
    mode: options.mode,
    maxPublications: options.topicHistoryMaxPublications,
    maxAgeMs: options.topicHistoryMaxAgeSeconds * 1000,
    maxBytes: options.topicHistoryMaxBytes,
    ttlMs: options.ttlMs || undefined,
  }));
  const topicOptions = (namespace: string) => table.of(namespace);
  const retention = (topic: string) => topicOptions(namespaceOf(topic));
  const engine = given ?? (await engines[config.engine]())(config, retention);
  const broker = new Broker({
    engine,
    namespace: topicOptions,
    metrics,
    payloadMaxBytes: config.payloadMaxBytes,
    topicsMax: config.topicsMax,
    topicsMaxPerClient: config.topicsMaxPerClient,
    topicsMaxBytesPerClient: config.topicsMaxBytesPerClient,
    historyMaxBytes: config.historyMaxBytes,
    historyMaxBytesPerClient: config.historyMaxBytesPerClient,
    ...charges,
  });
  return {
    engine,
    broker,
    hotTopics: new HotTopics(monotonicMs),
    topicOptions,
    reload: () => table.reload(),
  };
}

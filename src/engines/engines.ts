import { type Config, namespaceOptions } from '../config.ts';
import type { Engine } from '../topics/engine.ts';
import type { MessageIdLimits } from '../topics/message-id-budget.ts';
import { namespaceOf } from '../topics/topic-name.ts';

/** The engines by their names for `--engine`. Only the chosen one is loaded, with its dependencies. */
export const engines: Readonly<
  Record<Config['engine'], () => Promise<(config: Config) => Engine | Promise<Engine>>>
> = {
  memory: async () => {
    const { MemoryEngine } = await import('./memory.ts');
    return (config) => {
      const isState = (topic: string) => namespaceOptions(config, namespaceOf(topic)).mode === 'state';
      return new MemoryEngine({ isState, messageIds: messageIds(config) });
    };
  },
  lmdb: async () => {
    const { LmdbEngine } = await import('./lmdb/engine.ts');
    return (config) => {
      const { dataDir, sync, anyFileSystem, historyMaxBytes } = config;
      const limits = { historyMaxBytes, retention: retention(config), messageIds: messageIds(config) };
      return new LmdbEngine({ dataDir, sync, anyFileSystem, ...limits });
    };
  },
  redis: async () => {
    const { RedisUpstream } = await import('./redis/upstream.ts');
    const { ReplicaEngine } = await import('./replica/engine.ts');
    return (config) => {
      const server = {
        urls: config.redis,
        kind: config.redisKind,
        sentinelName: config.redisSentinelName,
        username: config.redisUsername || undefined,
        password: config.redisPassword,
        timeoutMs: config.redisTimeoutMs,
        tlsFiles: {
          ca: config.redisCaFile || undefined,
          cert: config.redisCertFile || undefined,
          key: config.redisKeyFile || undefined,
        },
      };
      const upstream = new RedisUpstream({
        server,
        prefix: config.redisPrefix,
        minReplicas: config.redisMinReplicas,
        nodeTimeoutMs: config.redisNodeTimeoutMs,
        retention: retention(config),
      });
      return new ReplicaEngine({ upstream, messageIds: messageIds(config) });
    };
  },
};

function retention(config: Config) {
  return (topic: string) => {
    const options = namespaceOptions(config, namespaceOf(topic));
    return {
      mode: options.mode,
      maxPublications: options.topicHistoryMaxPublications,
      maxBytes: options.topicHistoryMaxBytes,
      maxAgeMs: options.topicHistoryMaxAgeSeconds * 1000,
    };
  };
}

function messageIds({ messageIdsMaxBytesPerClient, messageIdsMaxBytes }: Config): MessageIdLimits {
  return { perPayer: messageIdsMaxBytesPerClient, total: messageIdsMaxBytes };
}

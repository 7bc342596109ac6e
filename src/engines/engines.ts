import type { Config } from '../config.ts';
import type { Engine } from '../topics/engine.ts';
import type { MessageIdLimits } from '../topics/message-id-budget.ts';
import type { TopicOptions } from '../topics/topic.ts';

/** `retention`: the options of a topic, whose members follow a configuration that is reloaded. */
type MakeEngine = (config: Config, retention: (topic: string) => TopicOptions) => Engine;

/** The engines by their names for `--engine`. Only the chosen one is loaded, with its dependencies. */
export const engines: Readonly<Record<Config['engine'], () => Promise<MakeEngine>>> = {
  memory: async () => {
    const { MemoryEngine } = await import('./memory.ts');
    return (config, retention) => {
      const isState = (topic: string) => retention(topic).mode === 'state';
      return new MemoryEngine({ isState, messageIds: messageIds(config) });
    };
  },
  lmdb: async () => {
    const { LmdbEngine } = await import('./lmdb/engine.ts');
    return (config, retention) => {
      const { dataDir, sync, anyFileSystem, historyMaxBytes } = config;
      const limits = { historyMaxBytes, retention, messageIds: messageIds(config) };
      return new LmdbEngine({ dataDir, sync, anyFileSystem, ...limits });
    };
  },
  redis: async () => {
    const { RedisUpstream } = await import('./redis/upstream.ts');
    const { ReplicaEngine } = await import('./replica/engine.ts');
    return (config, retention) => {
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
        retention,
      });
      return new ReplicaEngine({ upstream, messageIds: messageIds(config) });
    };
  },
};

function messageIds({ messageIdsMaxBytesPerClient, messageIdsMaxBytes }: Config): MessageIdLimits {
  return { perPayer: messageIdsMaxBytesPerClient, total: messageIdsMaxBytes };
}

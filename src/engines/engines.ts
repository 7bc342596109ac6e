import { type Config, namespaceOptions } from '../config.ts';
import { namespaceOf } from '../protocol/namespace.ts';
import type { Engine } from '../topics/engine.ts';
import type { MessageIdLimits } from '../topics/message-id-budget.ts';

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

/** Topics of one namespace share one object, whose members follow a configuration that is reloaded. */
function retention(config: Config): (topic: string) => Retention {
  const known = new Map<string, Retention>();
  return (topic) => {
    const namespace = namespaceOf(topic);
    const name = Object.hasOwn(config.namespaces, namespace) ? namespace : 'default';
    const retained = known.get(name) ?? new Retention(config, name);
    known.set(name, retained);
    return retained;
  };
}

class Retention {
  readonly #config: Config;
  readonly #namespace: string;

  constructor(config: Config, namespace: string) {
    this.#config = config;
    this.#namespace = namespace;
  }

  get mode() {
    return this.#options.mode;
  }

  get maxPublications(): number {
    return this.#options.topicHistoryMaxPublications;
  }

  get maxBytes(): number {
    return this.#options.topicHistoryMaxBytes;
  }

  get maxAgeMs(): number {
    return this.#options.topicHistoryMaxAgeSeconds * 1000;
  }

  get #options() {
    return namespaceOptions(this.#config, this.#namespace);
  }
}

function messageIds({ messageIdsMaxBytesPerClient, messageIdsMaxBytes }: Config): MessageIdLimits {
  return { perPayer: messageIdsMaxBytesPerClient, total: messageIdsMaxBytes };
}

import { setTimeout } from 'node:timers/promises';
import { startRedisCluster, startRedisWithSentinel } from '../../test/support/redis-groups.ts';
import { startRedis } from '../../test/support/redis-server.ts';

/** The Redis of this run, and its faults. */
export interface FaultyRedis {
  /** For the gateways. */
  readonly flags: readonly string[];
  befall(): Promise<void>;
  remove(): Promise<void>;
}

const prefix = 'faults';
/** Time between its end and its restart. */
const downMs = 500;
const keepsAll = ['--appendonly', 'yes', '--appendfsync', 'always'];

async function single(options: readonly string[], isRestarted: boolean): Promise<FaultyRedis> {
  const redis = await startRedis(...options);
  return {
    flags: [`--redis=${redis.url}`],
    befall: async () => {
      if (!isRestarted) return;
      await redis.kill();
      await setTimeout(downMs);
      await redis.start();
    },
    remove: () => redis.remove(),
  };
}

async function failover(): Promise<FaultyRedis> {
  const redis = await startRedisWithSentinel({ downAfterMs: 1500 });
  const kind = ['--redis-kind=sentinel', '--redis-sentinel-name=main', '--redis-min-replicas=1'];
  return {
    flags: [`--redis=${redis.urls.join(',')}`, ...kind],
    befall: () => redis.failOver(),
    remove: () => redis.remove(),
  };
}

async function migrate(): Promise<FaultyRedis> {
  const redis = await startRedisCluster();
  return {
    flags: [`--redis=${redis.urls.join(',')}`, '--redis-kind=cluster', `--redis-prefix=${prefix}`],
    befall: () => redis.migrate(prefix),
    remove: () => redis.remove(),
  };
}

const starts = {
  none: () => single([], false),
  restart: () => single(keepsAll, true),
  empty: () => single([], true),
  failover,
  migrate,
} as const;

export type RedisFault = keyof typeof starts;

export function startFaultyRedis(fault: RedisFault): Promise<FaultyRedis> {
  return starts[fault]();
}

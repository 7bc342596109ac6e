import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startRedisCluster, startRedisWithSentinel } from '../../test/support/redis-groups.ts';
import { type RedisProcess, startRedis } from '../../test/support/redis-server.ts';

/** The Redis of this run, and its faults. */
export interface FaultyRedis {
  /** For the gateways. */
  readonly flags: readonly string[];
  befall(): Promise<void>;
  remove(): Promise<void>;
}

const prefix = 'faults';
const keepsAll = ['--appendonly', 'yes', '--appendfsync', 'always'];

/** `befall`: absent: nothing does. */
async function single(
  options: readonly string[],
  befall?: (redis: RedisProcess) => Promise<void>,
): Promise<FaultyRedis> {
  const redis = await startRedis(...options);
  return {
    flags: [`--redis=${redis.url}`],
    befall: async () => befall?.(redis),
    remove: () => redis.remove(),
  };
}

function restarted(awayMs: number, options: readonly string[]): Promise<FaultyRedis> {
  return single(options, async (redis) => {
    await redis.kill();
    await setTimeout(awayMs);
    await redis.start();
  });
}

function commanded(befall: (commands: Redis) => Promise<void>): Promise<FaultyRedis> {
  return single([], async ({ url }) => {
    const commands = new Redis(url);
    await befall(commands);
    commands.disconnect();
  });
}

const scriptsLostEveryMs = 50;

async function loseScripts(commands: Redis, forMs: number): Promise<void> {
  for (let ms = 0; ms < forMs; ms += scriptsLostEveryMs) {
    await commands.script('FLUSH');
    await setTimeout(scriptsLostEveryMs);
  }
}

async function fillMemory(commands: Redis, forMs: number): Promise<void> {
  await commands.config('SET', 'maxmemory', '1');
  await setTimeout(forMs);
  await commands.config('SET', 'maxmemory', '0');
}

/** `minReplicas`: that acknowledge; with none the new master may lack the newest. */
async function failover(awayMs: number, minReplicas: number): Promise<FaultyRedis> {
  const redis = await startRedisWithSentinel({ downAfterMs: awayMs });
  const kind = ['--redis-kind=sentinel', '--redis-sentinel-name=main', `--redis-min-replicas=${minReplicas}`];
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
  none: () => single([]),
  restart: (awayMs: number) => restarted(awayMs, keepsAll),
  empty: (awayMs: number) => restarted(awayMs, []),
  failover: (awayMs: number) => failover(awayMs, 1),
  lossyFailover: (awayMs: number) => failover(awayMs, 0),
  migrate,
  memory: (awayMs: number) => commanded((commands) => fillMemory(commands, awayMs)),
  scripts: (awayMs: number) => commanded((commands) => loseScripts(commands, awayMs)),
} as const;

export type RedisFault = keyof typeof starts;

export function startFaultyRedis(fault: RedisFault, awayMs = 0): Promise<FaultyRedis> {
  return starts[fault](awayMs);
}

import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import {
  type RedisCluster,
  startRedisCluster,
  startRedisWithSentinel,
} from '../../test/support/redis-groups.ts';
import { type RedisProcess, startRedis } from '../../test/support/redis-server.ts';
import { seededRandom } from '../support/payload.ts';

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
const shortMaxMs = 2000;

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

async function clustered(
  replicas: number,
  befall: (redis: RedisCluster) => Promise<void>,
): Promise<FaultyRedis> {
  const redis = await startRedisCluster({ replicas });
  return {
    flags: [`--redis=${redis.urls.join(',')}`, '--redis-kind=cluster', `--redis-prefix=${prefix}`],
    befall: () => befall(redis),
    remove: () => redis.remove(),
  };
}

/** In any order, each at any moment after the one before. */
const shortFaults: readonly ((redis: RedisProcess, commands: Redis, ms: number) => Promise<unknown>)[] = [
  async (redis) => {
    await redis.kill();
    await redis.start();
  },
  async (redis, _, ms) => {
    redis.signal('SIGSTOP');
    await setTimeout(ms);
    redis.signal('SIGCONT');
  },
  (_, commands) => commands.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
  (_, commands) => commands.call('CLIENT', 'KILL', 'TYPE', 'pubsub'),
  (_, commands, ms) => commands.call('CLIENT', 'PAUSE', ms, 'WRITE'),
  (_, commands, ms) => loseScripts(commands, ms),
  (_, commands, ms) => fillMemory(commands, ms),
  (_, commands) => commands.flushall(),
];

function mixed(forMs: number, random: () => number): Promise<FaultyRedis> {
  return single(keepsAll, async (redis) => {
    const commands = new Redis(redis.url);
    // It ends with Redis, and connects again.
    commands.on('error', () => undefined);
    const untilMs = performance.now() + forMs;
    while (performance.now() < untilMs) {
      const fault = shortFaults[Math.floor(random() * shortFaults.length)];
      await fault?.(redis, commands, Math.ceil(random() * shortMaxMs));
      await setTimeout(random() * shortMaxMs);
    }
    commands.disconnect();
  });
}

const starts = {
  none: () => single([]),
  restart: (awayMs: number) => restarted(awayMs, keepsAll),
  empty: (awayMs: number) => restarted(awayMs, []),
  failover: (awayMs: number) => failover(awayMs, 1),
  lossyFailover: (awayMs: number) => failover(awayMs, 0),
  migrate: () => clustered(0, (redis) => redis.migrate(prefix)),
  takeover: (awayMs: number) => clustered(3, (redis) => redis.failOver(prefix, awayMs)),
  memory: (awayMs: number) => commanded((commands) => fillMemory(commands, awayMs)),
  scripts: (awayMs: number) => commanded((commands) => loseScripts(commands, awayMs)),
  mixed,
} as const;

export type RedisFault = keyof typeof starts;

export function startFaultyRedis(fault: RedisFault, awayMs = 0, seed = 1): Promise<FaultyRedis> {
  return starts[fault](awayMs, seededRandom(seed));
}

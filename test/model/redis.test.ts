import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, test } from 'vitest';
import { single } from '../engines/redis/fixtures.ts';
import { type RedisProcess, startRedis } from '../support/redis-server.ts';
import { of, tight, to } from './case.ts';
import { steps } from './commands.ts';
import { promises } from './loop.ts';
import { isState } from './model.ts';
import { options } from './options.ts';
import { observer, RedisEngine } from './redis-engine.ts';
import { World } from './world.ts';

/**
 * The same lives of gateways that share a real Redis, which takes the time that it takes: a failure may need several
 * runs of its seed, and is not made smaller. RUNS=500 makes more of them. REDIS=fails empties and restarts it as well:
 * then a life may take ten seconds, as a Redis that was started again waits for reports of gateways that have ended.
 */
const { REDIS, RUNS } = process.env;
const runs = Number(RUNS ?? 6);
const kind = REDIS === 'fails' ? 'failingRedis' : 'redis';

/** Longer than it takes to hear of a commit. */
const pauseMs = 10_000;
/** A life that takes longer hangs. */
const lifeMaxMs = 90_000;

let redis: RedisProcess;
let commands: Redis;
let lives = 0;

beforeAll(async () => {
  redis = await startRedis('--appendonly', 'yes', '--appendfsync', 'always');
  commands = new Redis(redis.url);
  // It ends with Redis, and connects again.
  commands.on('error', () => undefined);
});

afterAll(async () => {
  commands.disconnect();
  await redis.remove();
});

function engineOf({ options, nowMs, model }: World, prefix: string): RedisEngine {
  const retention = (topic: string) => ({
    mode: isState(topic) ? ('state' as const) : ('stream' as const),
    maxPublications: options.topicHistoryMaxPublications,
    maxBytes: options.topicHistoryMaxBytes,
    maxAgeMs: options.topicHistoryMaxAgeMs,
  });
  const { numberingsMax } = options;
  return new RedisEngine(
    { server: single(redis.url), prefix, minReplicas: 0, retention, numberingsMax, nowMs },
    model,
  );
}

const failures = {
  pause: (ms: number) => commands.call('CLIENT', 'PAUSE', ms),
  empty: async (lost: () => void) => {
    lost();
    await commands.flushall();
  },
  restart: async () => {
    await redis.kill();
    await redis.start();
  },
};

/** Their ids. */
async function connections(): Promise<string[]> {
  const list = String(await commands.call('CLIENT', 'LIST'));
  return [...list.matchAll(/^id=(\d+)/gm)].map(([, id]) => id as string);
}

test.each([
  { way: 'WebSocket', transports: 'websocket' },
  { way: 'streams and polls', transports: ['sse', 'poll'] },
  { way: 'the SDK', transports: 'sdk' },
] as const)(
  'by $way, a client at gateways on one Redis sees what was published, once, or is told what it lacks',
  async ({ transports }) => {
    await fc.assert(
      fc.asyncProperty(options, steps(60, kind), async (gateway, life) => {
        const prefix = `life${++lives}`;
        const kept = new Set([String(await commands.call('CLIENT', 'ID'))]);
        let watching: RedisEngine | undefined;
        const world = new World(gateway, transports, 2, {
          ...failures,
          engineOf: (made) => engineOf(made, prefix),
          empty: async (lost) => {
            // All that was committed has been heard of, and nothing is committed until it is empty.
            await commands.call('CLIENT', 'PAUSE', pauseMs, 'WRITE');
            await watching?.hearNewest();
            lost();
            await commands.pipeline().call('CLIENT', 'UNPAUSE').flushall().exec();
          },
          cut: async () => {
            for (const id of await connections())
              if (!kept.has(id)) await commands.call('CLIENT', 'KILL', 'ID', id);
          },
        });
        for (const { opened } of world.gateways) await opened;
        const nodes = await connections();
        watching = engineOf(world, prefix);
        await watching.open(observer);
        for (const id of await connections()) if (!nodes.includes(id)) kept.add(id);
        await world.open();
        await fc.asyncModelRun(() => ({ model: world, real: world }), life);
        await watching.hearNewest();
        await world.settle();
        await watching.close();
      }),
      {
        numRuns: runs,
        timeout: lifeMaxMs,
        endOnFailure: true,
      },
    );
  },
  lifeMaxMs + runs * 5000,
);

test('a stream that is cut off while it is opened with its cursor gets nothing of its own topics twice', async () => {
  const prefix = `life${++lives}`;
  const world = new World({ ...tight, backpressureMaxBytes: 100_000, kernelBytes: 1000 }, ['sse'], 2, {
    ...failures,
    engineOf: (made) => engineOf(made, prefix),
    cut: async () => undefined,
  });
  for (const { opened } of world.gateways) await opened;
  await world.open();
  world
    .client(0)
    .subscribe([of('a'), of('a', { intervalMs: 100 }), of('a', { intervalMs: 500 })], { at: 'end' });
  await world.restartNode(0);
  await world.gateway.advance(2500);
  world.publish([to('$all', { size: 200 }), to('a')]);
  await promises();
  await world.restartNode(0);
  await world.gateway.turn();
  await world.restartNode(0);
  await world.gateway.advance(2500);
  await world.settle();
});

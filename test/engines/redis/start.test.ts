import { afterEach, beforeEach, expect, test } from 'vitest';
import { RedisUpstream } from '../../../src/engines/redis/upstream.ts';
import { ReplicaEngine } from '../../../src/engines/replica/engine.ts';
import type { Broker } from '../../../src/topics/broker.ts';
import type { EngineFeed } from '../../../src/topics/engine.ts';
import { type RedisProcess, startRedis } from '../../support/redis-server.ts';
import { fields, makeBroker } from '../../topics/fixtures.ts';
import { ring } from '../contract/harness.ts';
import { commandsTo, openNode, single } from './fixtures.ts';

let redis: RedisProcess;
let broker: Broker;

beforeEach(async () => {
  redis = await startRedis('--appendonly', 'yes', '--appendfsync', 'always');
  const node = await openNode({ server: single(redis.url) });
  await node.publish('a', '1');
  await node.publish('b', '1');
});

afterEach(async () => {
  await broker.close();
  await redis.remove();
});

/** Runs something once before the broker that starts loads a topic. */
class InterruptedEngine extends ReplicaEngine {
  beforeLoad: (() => Promise<unknown>) | undefined;

  override async load(topic: string) {
    const interrupt = this.beforeLoad;
    this.beforeLoad = undefined;
    await interrupt?.();
    return super.load(topic);
  }
}

interface StartOptions {
  readonly unreached?: number;
  readonly reached?: number;
  /** Called when Redis is away. */
  readonly degraded?: () => void;
}

function start(
  beforeLoad: () => Promise<unknown>,
  { unreached = 60_000, reached = 60_000, degraded = () => undefined }: StartOptions = {},
  signal?: AbortSignal,
): Promise<void> {
  const upstream = new RedisUpstream({
    server: single(redis.url),
    prefix: 'test',
    minReplicas: 0,
    retention: () => ({ ...ring, mode: 'stream' }),
    openWithinMs: { unreached, reached },
  });
  const engine = new InterruptedEngine({ upstream });
  engine.beforeLoad = beforeLoad;
  ({ broker } = makeBroker({ engine }));
  const feedOf = (feed: EngineFeed): EngineFeed => ({
    appended: (...about) => feed.appended(...about),
    reset: (...about) => feed.reset(...about),
    degraded: (cause) => {
      feed.degraded(cause);
      if (cause !== undefined) degraded();
    },
  });
  const ignored = () => undefined;
  return broker.open({ appended: ignored, reset: ignored, removed: ignored }, signal, feedOf);
}

const kept = async (topic: string) => (await broker.history(topic, 0, 10)).publications.length;

test('a start that loses Redis while it loads the topics waits for it', async () => {
  let restarted: Promise<void> | undefined;
  await start(() => redis.kill(), {
    degraded: () => {
      restarted ??= redis.start();
    },
  });
  await restarted;
  expect([await kept('a'), await kept('b')]).toEqual([1, 1]);
  const [outcome] = await broker.publish([fields('a')]);
  expect(outcome).toMatchObject({ ok: true, offset: 2 });
});

test('a start whose connections end while it loads the topics makes new ones', async () => {
  const commands = commandsTo(redis.url);
  await start(() => commands.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'));
  expect([await kept('a'), await kept('b')]).toEqual([1, 1]);
});

test('a start that meets a Redis that still loads its data waits for it, however long', async () => {
  const commands = commandsTo(redis.url);
  await commands.eval("for i = 1, 12000 do redis.call('SET', 'other' .. i, i) end", 0);
  await redis.kill();
  // It takes more than a second, and answers after each thousand keys.
  const slow = ['--key-load-delay', '100'];
  const restarted = redis.start(...slow);
  await start(async () => undefined, { reached: 0 });
  await restarted;
  expect([await kept('a'), await kept('b')]).toEqual([1, 1]);
});

test('a start that loses Redis for too long says at which address', async () => {
  const started = start(() => redis.kill(), { unreached: 0 });
  await expect(started).rejects.toThrow(`Redis can't be used at 127.0.0.1:${redis.port}: `);
});

test('a start that Redis refuses to let read a topic says at which address', async () => {
  const commands = commandsTo(redis.url);
  const started = start(() => commands.set('{test}:content:a', 'not a stream'), { reached: 0 });
  await expect(started).rejects.toThrow(/^Redis can't be used at 127\.0\.0\.1:\d+: .*WRONGTYPE/);
});

test('a start that waits for Redis can be aborted', async () => {
  const aborting = new AbortController();
  const started = start(
    () => redis.kill(),
    { degraded: () => aborting.abort(new Error('stopped')) },
    aborting.signal,
  );
  await expect(started).rejects.toThrow('stopped');
});

import { once } from 'node:events';
import { beforeEach, expect, test, vi } from 'vitest';
import { RedisUpstream } from '../../../src/engines/redis/upstream.ts';
import { ReplicaEngine } from '../../../src/engines/replica/engine.ts';
import { messageIdWindowMs } from '../../../src/topics/message-id-budget.ts';
import { ofTest, opened } from '../../support/opened.ts';
import { type RedisProcess, startRedis } from '../../support/redis-server.ts';
import { openBroker } from '../../topics/fixtures.ts';
import { request, ring } from '../contract/harness.ts';
import { commandsTo, openNode, single, valued } from './fixtures.ts';

let redis: RedisProcess;

beforeEach(async () => {
  redis = await opened(startRedis());
});

test('a Redis that may evict keys is warned of at start', async () => {
  const commands = commandsTo(redis.url);
  await commands.config('SET', 'maxmemory', '100mb');
  await commands.config('SET', 'maxmemory-policy', 'allkeys-lru');
  const warned = once(process, 'warning');
  await openNode({ server: single(redis.url) });
  expect(String(await warned)).toContain('maxmemory-policy allkeys-lru lets Redis drop publications');
});

test('content that Redis has evicted counts as gone, whether or not more was published since', async () => {
  const commands = commandsTo(redis.url);
  const first = await openNode({ server: single(redis.url) });
  for (const topic of ['a', 'b', 'whole']) for (const value of ['1', '2']) await first.publish(topic, value);
  await commands.del('{test}:content:a', '{test}:content:b');
  await first.publish('b', '3');
  const { feed } = await openNode({ server: single(redis.url) });
  expect(feed.stored.get('a')).toMatchObject({ offset: 2, seq: 2, publications: [], evictedSeq: 2 });
  expect(feed.stored.get('b')).toMatchObject({ offset: 3, seq: 7, evictedSeq: 6 });
  expect(feed.stored.get('whole')).toMatchObject({ offset: 2, seq: 6, evictedSeq: 0 });
});

test.each([
  ['none was published since', []],
  ['others were published since', ['d']],
])('values that Redis has evicted are those of the history: %s', async (_, since) => {
  const commands = commandsTo(redis.url);
  const first = await openNode({ server: single(redis.url) });
  for (const key of ['a', 'b', 'a', 'c']) await first.publish('state:x', '1', { key });
  await first.publish('state:x', '1', { key: 'b', removed: true });
  await commands.del('{test}:values:state:x');
  for (const key of since) await first.publish('state:x', '1', { key });
  const { feed } = await openNode({ server: single(redis.url) });
  expect(feed.stored.get('state:x')?.state.map(({ key, offset }) => `${key}${offset}`)).toEqual([
    ...['a3', 'c4'],
    ...since.map((key) => `${key}6`),
  ]);
});

test('a value with a TTL that Redis has evicted is not taken from the history, as it could not be removed', async () => {
  const commands = commandsTo(redis.url);
  const first = await openNode({ server: single(redis.url) });
  await first.publish('state:x', '1', { key: 'a', ttlMs: 1 });
  await first.publish('state:x', '1', { key: 'b', ttlMs: 1 });
  await commands.hdel('{test}:values:state:x', 'a');
  const { engine, feed } = await openNode({ server: single(redis.url) });
  const state = feed.stored.get('state:x')?.state ?? [];
  const { epoch = '' } = feed.stored.get('state:x') ?? {};
  const outcomes = await engine.append(
    state.map(({ key, offset }) => ({
      ...request('state:x', { key, removed: true }),
      ifNewest: { epoch, offset },
    })),
  );
  expect([state.map(({ key }) => key), outcomes]).toMatchObject([['b'], [{ ok: true }]]);
});

test('values that Redis has evicted while a gateway holds them are removed when they expire', async () => {
  const commands = commandsTo(redis.url);
  const upstream = new RedisUpstream({
    server: single(redis.url),
    prefix: 'test',
    minReplicas: 0,
    retention: () => ({ ...ring, maxPublications: 1000, mode: 'state' }),
  });
  const engine = new ReplicaEngine({ upstream });
  const { broker, clock, counts } = await openBroker({ engine });
  const publish = (key: string) => broker.publish([valued('state:x', '1', { key, ttlMs: 100 }).fields]);
  for (const key of ['a', 'b', 'c']) await publish(key);
  await commands.hdel('{test}:values:state:x', 'a', 'b');
  const removed = () => counts.of('ringEvictionsTotal', 'ttl');
  clock.advance(100);
  broker.sweep();
  await vi.waitFor(() => expect(removed()).toBe(1));
  broker.sweep();
  await vi.waitFor(() => expect(removed()).toBe(3));
  await vi.waitFor(() => expect(broker.find('state:x')?.state?.size).toBe(0));
  expect(broker.find('state:x')?.ring.newest).toBe(6);
});

test('message ids go by the clock of the gateways, and not by that of Redis, which may be set', async () => {
  const commands = commandsTo(redis.url);
  let nowMs = Date.now();
  const upstream = new RedisUpstream({
    server: single(redis.url),
    prefix: 'test',
    minReplicas: 0,
    nowMs: () => nowMs,
    retention: () => ({ ...ring, mode: 'stream' }),
  });
  const engine = ofTest(new ReplicaEngine({ upstream, nowMs: () => nowMs }));
  const nothing = () => undefined;
  await engine.open({ appended: nothing, reset: nothing, degraded: nothing });
  const publish = (...ids: string[]) => engine.append(ids.map((messageId) => request('a', { messageId })));
  const key = (id: string) => `{test}:id:a ${id}`;
  await publish('a b\nc');
  nowMs++;
  await publish('once', 'again');
  expect(await commands.pttl(key('once'))).toBe(-1);
  await commands.lpush('{test}:ids', 'what no gateway writes');
  nowMs += messageIdWindowMs;
  expect(await publish('again', 'later')).toMatchObject([{ offset: 4 }, { offset: 5 }]);
  expect(await commands.exists(key('once'), key('a b\nc'))).toBe(0);
  expect(await publish('again')).toMatchObject([{ offset: 4, duplicate: true }]);
  expect(await commands.llen('{test}:ids')).toBe(2);
  await commands.set('{test}:ids', 'of another type');
  await publish('last', 'last but one');
  await publish('newest');
  expect(new Set(await commands.lrange('{test}:ids', 0, -1))).toEqual(
    new Set(['last', 'last but one', 'newest'].map((id) => `${nowMs} ${key(id)}`)),
  );
});

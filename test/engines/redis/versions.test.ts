import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { knownFlags } from '../../../src/engines/beside.ts';
import { besideFlagsOf, type Formats, formats } from '../../../src/engines/redis/formats.ts';
import { type RedisProcess, startRedis } from '../../support/redis-server.ts';
import { type Node, openNode, single, until } from './fixtures.ts';

let redis: RedisProcess;
let commands: Redis;

/** A version of the gateway, by the formats that it knows. */
async function open(oldest: number, newest: number): Promise<Node> {
  return openNode({
    server: single(redis.url),
    formats: { oldest, newest } satisfies Formats,
    // What refuses to start does so at the first attempt, or the test takes too long.
    openWithinMs: { unreached: 600_000, reached: 600_000 },
  });
}

const formatOf = () => commands.hget('{test}:meta', 'format');

beforeAll(async () => {
  redis = await startRedis();
  commands = new Redis(redis.url);
});
beforeEach(() => commands.flushall());
afterAll(async () => {
  commands.disconnect();
  await redis.remove();
});

test('versions that know the format of the data run side by side, in that format', async () => {
  const old = await open(1, 1);
  const next = await open(1, 2);
  await next.publish('a', '1', { timestampMs: 5 });
  await old.publish('a', '2');
  await until(() => [old, next].every(({ feed }) => feed.topics.get('a')?.offset === 2), old, next);
  expect(old.feed.topics.get('a')).toEqual(next.feed.topics.get('a'));
  expect(await formatOf()).toBe('1');
});

test('a version that does not know the format refuses to start, at once, and changes nothing', async () => {
  await open(1, 2);
  await expect(open(1, 1)).rejects.toThrow(
    `Redis can't be used at 127.0.0.1:${redis.port}: its data has the format 2, and this version of Sluice knows format 1: use the version that wrote it, or another --redis-prefix`,
  );
  await expect(open(3, 4)).rejects.toThrow('the format 2, and this version of Sluice knows formats 3 to 4');
  expect(await formatOf()).toBe('2');
});

test('a kind of log entry that it does not know is skipped, with one warning', async () => {
  const node = await open(1, 1);
  await node.publish('a', '1');
  const warnings: string[] = [];
  const warned = ({ message }: Error) => warnings.push(message);
  process.on('warning', warned);
  const term = await commands.hget('{test}:meta', 'term');
  for (const [id, last] of [
    ['1-1', '1-0'],
    ['1-2', '1-1'],
  ] as const) {
    await commands.xadd('{test}:log', id, 'm', `${last} ${term} x more`, 'r', 'record', 'more', 'fields');
    await commands.hset('{test}:meta', 'last', id, 'minor', id.slice(2));
  }
  await node.publish('a', '2');
  await until(() => node.feed.topics.get('a')?.offset === 2, node);
  await expect.poll(() => warnings).toEqual([expect.stringContaining('entries of the kind "x"')]);
  process.off('warning', warned);
  expect([node.feed.cause, node.feed.faults]).toEqual([undefined, []]);
});

test.each([
  ['no text', 'from', 'someone'],
  ['other fields', 'a', 'b'],
  ['no name of a gateway', 'from', 'some one', 'text', '{}'],
])('a message that no gateway has written is ignored, with one warning: %s', async (_, ...entry) => {
  const node = await open(1, 1);
  const warnings: string[] = [];
  const warned = ({ message }: Error) => warnings.push(message);
  process.on('warning', warned);
  const heard: string[] = [];
  node.engine.bus?.listen({
    message: (text, from) => heard.push(`${from}: ${text}`),
    nodes: () => undefined,
    returned: () => undefined,
  });
  for (let times = 0; times < 2; times++) await commands.xadd('{test}:messages', '*', ...entry);
  await commands.xadd('{test}:messages', '*', 'from', 'other', 'text', 'hello');
  await expect.poll(() => heard.length).toBeGreaterThan(0);
  process.off('warning', warned);
  expect(heard).toEqual(['other: hello']);
  expect(warnings).toEqual([expect.stringContaining('other than a gateway writes to {test}:messages')]);
});

test('a log that others go on writing to is read again at growing intervals, and names the cause', async () => {
  const node = await open(1, 1);
  await node.publish('a', '1');
  const lostAtMs: number[] = [];
  let known: Error | undefined;
  node.feed.changed = () => {
    if (node.feed.cause !== undefined && node.feed.cause !== known) lostAtMs.push(performance.now());
    known = node.feed.cause;
  };
  const writing = setInterval(() => void commands.xadd('{test}:log', '*', 'foo', 'bar'), 1);
  await expect.poll(() => lostAtMs.length).toBeGreaterThan(4);
  clearInterval(writing);
  expect(lostAtMs[4]! - lostAtMs[0]!).toBeGreaterThan(300);
  expect(node.feed.cause?.message).toMatch(/the log|another one/);
  expect(await node.publish('a', '2')).toMatchObject({ ok: true, offset: 2 });
});

test('every member of a record is written in the newest format: a new one takes a new format', () => {
  expect(besideFlagsOf(formats.newest)).toBe(knownFlags);
  expect(besideFlagsOf(2)).toBe(besideFlagsOf(1));
});

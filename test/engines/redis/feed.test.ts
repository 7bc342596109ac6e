import { beforeEach, expect, test, vi } from 'vitest';
import { opened } from '../../support/opened.ts';
import { type RedisProcess, startRedis } from '../../support/redis-server.ts';
import { commandsTo, type Node, openNode, single, until, valued } from './fixtures.ts';

let redis: RedisProcess;
let commands: ReturnType<typeof commandsTo>;
let nodes: readonly [Node, Node];

beforeEach(async () => {
  redis = await opened(startRedis());
  commands = commandsTo(redis.url);
  nodes = [await openNode({ server: single(redis.url) }), await openNode({ server: single(redis.url) })];
});

const offsets = () => nodes.map(({ feed }) => feed.topics.get('a')?.offset ?? 0);
const faults = () => nodes.flatMap(({ feed }) => feed.faults);
const allAt = (offset: number) => until(() => offsets().every((each) => each === offset), ...nodes);
const tails = async () =>
  [...String(await commands.client('LIST')).matchAll(/^id=(\d+) .*name=sluice-tail/gm)].map(([, id]) => id);

test('what the feed has left out is read from the log after a greeting, or before the next message', async () => {
  const [a, b] = nodes;
  await a.publish('a', '1');
  await allAt(1);
  const enterUntold = async (id: string, last: string, user: string) => {
    const [epoch, term] = await commands.hmget('{test}:meta', 'epoch', 'term');
    const record = JSON.stringify([[['a', user], epoch, 1]]);
    await commands.xadd('{test}:log', id, 'm', `${last} ${term} a`, 'r', record);
    await commands.hset('{test}:meta', 'last', id, 'minor', id.slice(2));
  };
  const hasHeardOf = (user: string) =>
    nodes.every(({ engine }) => engine.acknowledged.get('a', user)?.offset === 1);
  await enterUntold('1-1', '1-0', 'alice');
  await vi.waitUntil(() => hasHeardOf('alice'), { timeout: 90_000 });
  await enterUntold('1-2', '1-1', 'bob');
  await b.publish('a', '2');
  await allAt(2);
  expect([hasHeardOf('bob'), faults()]).toEqual([true, []]);
});

test('what a publisher sends at once is read from the log where it is large', async () => {
  const [a] = nodes;
  const large = 'x'.repeat(60_000);
  await a.engine.append(Array.from({ length: 40 }, (_, i) => valued('a', `${i} ${large}`)));
  await a.publish('a', 'small');
  await allAt(41);
  expect(nodes[1].feed.topics.get('a')?.values.map((value) => Number.parseInt(value.slice(1), 10))).toEqual([
    ...Array.from({ length: 40 }, (_, i) => i),
    Number.NaN,
  ]);
  expect(faults()).toEqual([]);
});

test.each(['junk', '5 1-0 0-0 1 p\nab', '-9 1-0 0-0\n', '\n', ' \n', '0 9-9 0-0 1 x\n'])(
  'a message in the feed that no node has sent is ignored: %j',
  async (message) => {
    const before = await tails();
    const [a] = nodes;
    await a.publish('a', '1');
    expect(await commands.publish('{test}:feed', message)).toBe(2);
    await a.publish('a', '2');
    await allAt(2);
    expect([await tails(), faults()]).toEqual([before, []]);
  },
);

test('a node whose connection Redis ends, as too much waits there for it, is told everything all the same', async () => {
  const [a, b] = nodes;
  await a.publish('a', '0');
  await allAt(1);
  const before = await tails();
  await commands.config('SET', 'client-output-buffer-limit', 'pubsub 1024 0 0');
  const value = 'x'.repeat(200_000);
  const published = Promise.all(Array.from({ length: 4 }, () => a.publish('a', value)));
  await until(() => b.feed.cause !== undefined, b);
  await commands.config('SET', 'client-output-buffer-limit', 'pubsub 33554432 8388608 60');
  expect((await published).every(({ ok }) => ok)).toBe(true);
  await allAt(5);
  expect((await tails()).filter((id) => before.includes(id))).toEqual([]);
  expect([nodes.map(({ feed }) => feed.resets), faults()]).toEqual([[[], []], []]);
});

test('where Redis lacks what the feed needs, nodes wait for the log', async () => {
  const poor = await opened(startRedis('--rename-command', 'HELLO', ''));
  const [a, b] = [
    await openNode({ server: single(poor.url, 600) }),
    await openNode({ server: single(poor.url, 600) }),
  ];
  await a.publish('a', '1');
  await b.publish('a', '2');
  await until(() => [a, b].every(({ feed }) => feed.topics.get('a')?.offset === 2), a, b);
  for (const { feed } of [a, b]) expect([feed.cause, feed.faults]).toEqual([undefined, []]);
});

test('a batch that has no publications is not taken for one that the feed was not told of', async () => {
  const [a] = nodes;
  const warnings: string[] = [];
  const warned = ({ message }: Error) => warnings.push(message);
  process.on('warning', warned);
  await a.publish('a', '1');
  a.engine.forget('a');
  await new Promise(setImmediate);
  await a.publish('b', '1');
  await new Promise(setImmediate);
  process.off('warning', warned);
  expect(warnings).toEqual([]);
});

test('nodes of other databases of the same Redis are not heard, though they commit the same numbers', async () => {
  const others = [
    await openNode({ server: single(`${redis.url}/1`) }),
    await openNode({ server: single(`${redis.url}/2`) }),
  ] as const;
  const [a, b] = others;
  await Promise.all([a.publish('a', 'of a'), b.publish('b', 'of b')]);
  const heard = others.map(({ feed }) => [...feed.topics].map(([topic, { values }]) => [topic, ...values]));
  expect(heard).toEqual([[['a', '"of a"']], [['b', '"of b"']]]);
  expect(
    others.flatMap(({ feed }) => [...feed.resets, ...feed.faults, ...[feed.cause ?? []].flat()]),
  ).toEqual([]);
});

import { beforeEach, expect, test, vi } from 'vitest';
import { Server } from '../../../src/engines/redis/server.ts';
import { opened } from '../../support/opened.ts';
import { type RedisProcess, startRedis } from '../../support/redis-server.ts';
import { commandsTo, openNode, single, until, valued } from './fixtures.ts';

let redis: RedisProcess;

beforeEach(async () => {
  redis = await opened(startRedis());
});

const key = (name: string) => `{test}:${name}`;
const written = (name: string) => [
  ['DEL', key(name)],
  ['SET', key(name), 'foreign'],
];

test.each([
  ['the heads are gone', [['DEL', key('heads')]], ['new']],
  ['all but the contents is gone', [['DEL', key('meta'), key('heads'), key('log')]], ['new']],
  ['everything is gone', [['FLUSHALL']], ['new']],
  ['only the numbering of commits is gone', [['DEL', key('meta')]], ['new']],
  ['the log is gone', [['DEL', key('log')]], ['old', 'new']],
  ['what concerns nodes is gone', [['DEL', key('nodes'), key('messages'), key('counting')]], ['old', 'new']],
  ['its scripts are gone', [['SCRIPT', 'FLUSH']], ['old', 'new']],
  ['connections to its channels are ended', [['CLIENT', 'KILL', 'TYPE', 'pubsub']], ['old', 'new']],
  ['all connections are ended', [['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes']], ['old', 'new']],
  ['a history is of another type', written('content:state:x'), ['old', 'new']],
  [
    'a history has an entry of something else',
    [['XADD', key('content:state:x'), '*', 'a', 'b']],
    ['old', 'new'],
  ],
  ['values are of another type', written('values:state:x'), ['old', 'new']],
  ['the log has an entry of something else', [['XADD', key('log'), '*', 'a', 'b']], ['old', 'new']],
  ['the log is of another type', written('log'), ['old', 'new']],
])('nodes go on where something else has changed Redis: %s', async (_, damage, values) => {
  const commands = commandsTo(redis.url);
  const server = single(redis.url);
  const [a, b] = [await openNode({ server }), await openNode({ server })];
  for (const value of ['1', '2']) await a.publish('state:x', value, { key: 'old' });
  for (const [command = '', ...args] of damage) await commands.call(command, ...args);

  for (const node of [a, b])
    expect(await node.publish('state:x', '3', { key: 'new' })).toMatchObject({ ok: true });
  const last = await a.publish('state:x', '4', { key: 'new' });
  const isHeard = ({ feed }: typeof a) => feed.topics.get('state:x')?.values.at(-1) === '"4"';
  await until(() => isHeard(a) && isHeard(b), a, b);
  expect([a.feed.faults, b.feed.faults]).toEqual([[], []]);
  expect(b.feed.topics.get('state:x')?.epoch).toBe(a.feed.topics.get('state:x')?.epoch);

  const { feed } = await openNode({ server });
  const stored = feed.stored.get('state:x');
  expect(last).toMatchObject({ epoch: stored?.epoch, offset: stored?.offset });
  expect(stored?.publications.at(-1)?.offset).toBe(stored?.offset);
  expect(stored?.state.map((each) => each.key)).toEqual(values);
});

test.each([
  ['has no memory left', ['CONFIG', 'SET', 'maxmemory', '1'], ['CONFIG', 'SET', 'maxmemory', '0']],
  ['has become a replica', ['REPLICAOF', '127.0.0.1', '1'], ['REPLICAOF', 'NO', 'ONE']],
  [
    'wants replicas',
    ['CONFIG', 'SET', 'min-replicas-to-write', '1'],
    ['CONFIG', 'SET', 'min-replicas-to-write', '0'],
  ],
])('while Redis %s, nothing is done, and then everything goes on', async (_, hindered, free) => {
  const commands = commandsTo(redis.url);
  const call = ([command = '', ...args]: readonly string[]) => commands.call(command, ...args);
  const server = single(redis.url);
  const nodes = [await openNode({ server }), await openNode({ server })] as const;
  const [a, b] = nodes;
  const first = await a.publish('a', '1');
  await call(hindered);
  const asked = valued('a', '2', { messageId: 'm' });
  for (const { engine } of nodes)
    expect(await engine.append([asked])).toMatchObject([{ error: { code: 'engine_unavailable' } }]);
  // Until a heartbeat has failed by it, too.
  await until(() => a.feed.cause !== undefined && b.feed.cause !== undefined, a, b);
  await call(free);
  expect(await a.publish('a', '2', { messageId: 'm' })).toEqual({ ...first, offset: 2 });
  await until(() => b.feed.topics.get('a')?.offset === 2, b);
  for (const { feed } of nodes)
    expect([feed.resets, feed.faults, feed.topics.get('a')?.values]).toEqual([[], [], ['"1"', '"2"']]);
});

test('nodes hear each other though Redis lost everything and its clock is set back', async () => {
  const commands = commandsTo(redis.url);
  const server = single(redis.url);
  const [a, b] = [await openNode({ server }), await openNode({ server })];
  const heard: string[] = [];
  b.engine.bus?.listen({
    message: (text) => heard.push(text),
    nodes: () => undefined,
    returned: () => undefined,
  });
  // As if its clock were an hour ahead until then.
  await commands.xadd(key('messages'), `${Date.now() + 3_600_000}-0`, 'f', 'node', 't', 'before');
  await expect.poll(() => heard).toEqual(['before']);
  await commands.flushall();
  await a.publish('a', '1');
  a.engine.bus?.send('after');
  await expect.poll(() => heard).toEqual(['before', 'after']);
});

test.each([
  ['that starts', () => undefined],
  ['that comes back', () => commandsTo(redis.url).call('CLIENT', 'KILL', 'TYPE', 'pubsub')],
])('Redis may lose everything between two steps of a node %s', async (_, part) => {
  const commands = commandsTo(redis.url);
  const server = single(redis.url);
  const a = await openNode({ server });
  await a.publish('a', '1');
  const { picture } = Server.prototype;
  vi.spyOn(Server.prototype, 'picture').mockImplementationOnce(async function (this: Server, term) {
    await commands.flushall();
    return picture.call(this, term);
  });
  await part();
  const b = await openNode({ server });
  for (const node of [a, b]) expect(await node.publish('a', '2')).toMatchObject({ ok: true });
  await until(() => [a, b].every(({ feed }) => feed.topics.get('a')?.offset === 2), a, b);
  expect([a.feed.faults, b.feed.faults]).toEqual([[], []]);
  for (const { engine } of [a, b]) expect(engine.seq).toBeGreaterThanOrEqual(3);
});

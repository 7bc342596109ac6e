import { afterEach, beforeEach, expect, test } from 'vitest';
import { type RedisProcess, startRedis } from '../../support/redis-server.ts';
import { commandsTo, openNode, single, until } from './fixtures.ts';

let redis: RedisProcess;

beforeEach(async () => {
  redis = await startRedis();
});

afterEach(() => redis.remove());

const key = (name: string) => `{test}:${name}`;
const written = (name: string) => [
  ['DEL', key(name)],
  ['SET', key(name), 'foreign'],
];

test.each([
  ['the heads are gone', [['DEL', key('heads')]], ['new']],
  ['all but the contents is gone', [['DEL', key('meta'), key('heads'), key('log')]], ['new']],
  ['a history is of another type', written('content:state:x'), ['old', 'new']],
  [
    'a history has an entry of something else',
    [['XADD', key('content:state:x'), '*', 'a', 'b']],
    ['old', 'new'],
  ],
  ['values are of another type', written('values:state:x'), ['old', 'new']],
  ['the log has an entry of something else', [['XADD', key('log'), '*', 'a', 'b']], ['old', 'new']],
  ['the log is of another type', written('log'), ['old', 'new']],
])('nodes go on where something else has written to Redis: %s', async (_, damage, values) => {
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

  const { engine, feed } = await openNode({ server });
  const stored = feed.stored.get('state:x');
  expect(last).toMatchObject({ epoch: stored?.epoch, offset: stored?.offset });
  expect(stored?.publications.at(-1)?.offset).toBe(stored?.offset);
  expect(stored?.state.map((each) => each.key)).toEqual(values);
  await Promise.all([engine.close(), a.engine.close(), b.engine.close()]);
  commands.disconnect();
});

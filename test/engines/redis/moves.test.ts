import { Cluster } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RedisCluster, startRedisCluster } from '../../support/redis-groups.ts';
import { type Node, openNode, single, until } from './fixtures.ts';

let cluster: RedisCluster;
let commands: Cluster;

beforeAll(async () => {
  cluster = await startRedisCluster();
  commands = new Cluster([...cluster.urls]);
});

afterAll(async () => {
  commands.disconnect();
  await cluster.remove();
});

const open = (): Promise<Node> =>
  openNode({ server: { ...single(''), kind: 'cluster', urls: cluster.urls }, prefix: 'moved' });

/** As a node that is killed leaves it. */
const leaveKilled = (name: string) => commands.hset('{moved}:nodes', name, Date.now());

test('a slot that was moved goes on with its numberings, also if a node was killed meanwhile', async () => {
  const node = await open();
  const { epoch } = (await node.publish('a', '1')) as { epoch: string };
  await leaveKilled('killed');
  await cluster.migrate('moved');
  const outcome = await node.publish('a', '2');
  await until(() => node.feed.topics.get('a')?.offset === 2, node);
  expect([outcome, node.feed.resets, node.feed.faults]).toEqual([
    { ok: true, epoch, offset: 2, duplicate: false },
    [],
    [],
  ]);
  await node.engine.close();
});

test('… but not if it comes from a server that is gone, as its newest commits may be lost', async () => {
  const node = await open();
  const { epoch } = (await node.publish('a', '3')) as { epoch: string };
  await leaveKilled('killed too');
  await commands.hset('{moved}:meta', 'run', '0123456789abcdef');
  await until(() => node.feed.resets.length === 1, node);
  expect(await node.publish('a', '4')).toMatchObject({ ok: true, offset: 4 });
  expect(node.feed.topics.get('a')?.epoch).not.toBe(epoch);
  expect(node.feed.faults).toEqual([]);
  await node.engine.close();
});

import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { connect } from '../../../src/engines/redis/connection.ts';
import { type RedisCluster, startRedisCluster } from '../../support/redis-groups.ts';
import type { RedisProcess } from '../../support/redis-server.ts';
import { type Node, openNode, serverAt, single, until } from './fixtures.ts';

let cluster: RedisCluster;
let commands: Cluster;

beforeAll(async () => {
  cluster = await startRedisCluster({ replicas: 1 });
  commands = new Cluster([...cluster.urls]);
});

afterAll(async () => {
  commands.disconnect();
  await cluster.remove();
});

const reached = () => ({ ...single(''), kind: 'cluster', urls: cluster.urls }) as const;
const open = (): Promise<Node> => openNode({ server: reached(), prefix: 'moved' });

async function ofPort<T>(port: number, ask: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(port);
  try {
    return await ask(redis);
  } finally {
    redis.disconnect();
  }
}

const has = (port: number, key: string) =>
  ofPort(port, (redis) =>
    redis.exists(key).then(
      () => true,
      () => false,
    ),
  );

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

test('a slot of a server that is gone begins new numberings, as the newest commits may be lost', async () => {
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

test('a command fails, and nothing else, where the server is silent to which its slot is being moved', async () => {
  const unhandled: unknown[] = [];
  const collect = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', collect);
  const [first, second] = cluster.servers as [RedisProcess, RedisProcess];
  const [owner, target] = (await has(first.port, '{silent}')) ? [first, second] : [second, first];
  const idOf = ({ port }: RedisProcess) => ofPort(port, (redis) => redis.cluster('MYID'));
  const slot = await ofPort(owner.port, (redis) => redis.cluster('KEYSLOT', '{silent}'));
  const ids = { owner: await idOf(owner), target: await idOf(target) };
  await ofPort(target.port, (redis) => redis.cluster('SETSLOT', slot, 'IMPORTING', ids.owner));
  await ofPort(owner.port, (redis) => redis.cluster('SETSLOT', slot, 'MIGRATING', ids.target));
  const connection = await connect({ ...reached(), timeoutMs: 1000 }, 'commands', () => undefined);
  target.signal('SIGSTOP');
  // The owner names the target for a key that it does not have.
  await expect(connection.call('GET', '{silent}')).rejects.toThrow();
  target.signal('SIGCONT');
  connection.close();
  for (const { port } of [owner, target])
    await ofPort(port, (redis) => redis.cluster('SETSLOT', slot, 'STABLE'));
  process.off('unhandledRejection', collect);
  expect(unhandled).toEqual([]);
});

test('a server counts as the former master only while it is one, and says itself that the slot is another’s', async () => {
  const server = await serverAt(reached());
  const runOf = (port: number) =>
    ofPort(port, async (redis) => /run_id:(\w+)/.exec(await redis.info('server'))?.[1] ?? '');
  const ports = cluster.servers.map(({ port }) => port);
  const hasKey = await Promise.all(ports.map((port) => has(port, '{test}:meta')));
  const runs = await Promise.all(ports.map(runOf));
  const seen = await Promise.all(runs.map((run) => server.hasMoved(run)));
  // The last one is the replica of the one before.
  expect(seen).toEqual(ports.map((_, i) => i !== 3 && !hasKey[i]));
  const [, , replaced, replica] = ports as [number, number, number, number];
  await ofPort(replica, (redis) => redis.call('CLUSTER', 'FAILOVER', 'TAKEOVER'));
  await vi.waitUntil(() =>
    ofPort(replaced, async (redis) => (await redis.info('replication')).includes('role:slave')),
  );
  expect(await server.hasMoved(await runOf(replaced))).toBe(false);
  server.close();
});

test('a cluster is reached though one of its servers is not, whichever is asked first', async () => {
  await cluster.servers[0]?.kill();
  const server = { ...reached(), timeoutMs: 60_000 };
  const connections = await Promise.all(
    Array.from({ length: 12 }, () => connect(server, 'commands', () => undefined)),
  );
  for (const connection of connections) connection.close();
});

import type { Cluster, Redis } from 'ioredis';
import { beforeEach, expect, test } from 'vitest';
import { RedisCounts } from '../../../src/engines/redis/counts.ts';
import type { Server } from '../../../src/engines/redis/server.ts';

/** Longer than a test takes on the busiest machine. */
export const nodeTimeoutMs = 600_000;
const limit = 5;

/** A Redis that is there for these tests; the prefix of the keys is `test`. */
export interface CountedRedis {
  /** Knows nodes for `nodeTimeoutMs`. */
  readonly server: Server;
  readonly commands: Redis | Cluster;
}

/** What all nodes of a Redis count together, whatever kind of Redis it is. */
export function countsSuite(redis: () => CountedRedis): void {
  let server: Server;
  let commands: CountedRedis['commands'];

  beforeEach(async () => {
    ({ server, commands } = redis());
    await clear();
  });

  async function clear(): Promise<void> {
    const servers = 'nodes' in commands ? commands.nodes('master') : [commands];
    await Promise.all(servers.map((each) => each.flushall()));
  }

  async function hello(node: string): Promise<void> {
    await server.hello({ node, epoch: '', seq: 0, term: '', salt: 'salt', fence: 0, nowMs: 0 });
  }

  async function join(node: string): Promise<RedisCounts> {
    await hello(node);
    const counts = new RedisCounts(node);
    await counts.joined(server);
    return counts;
  }

  /** As its node would be after the time-out. */
  async function silence(node: string): Promise<void> {
    await commands.hset('{test}:nodes', node, Date.now() - 2 * nodeTimeoutMs);
  }

  async function elsewhere(counts: RedisCounts, key = 'k'): Promise<number> {
    await counts.refresh();
    return counts.elsewhere(key);
  }

  const totals = () => commands.hgetall('{test}:totals');

  test('say nothing of others below the limit, and how many they have at it and above', async () => {
    const [a, b] = [await join('a'), await join('b')];
    a.set('k', 1, limit);
    b.set('k', limit - 2, limit);
    await b.refresh();
    expect([await elsewhere(a), await elsewhere(b)]).toEqual([0, 0]);
    a.set('k', 2, limit);
    expect([await elsewhere(a), await elsewhere(b)]).toEqual([limit - 2, 2]);
    b.set('k', limit, limit);
    expect([await elsewhere(b), await elsewhere(a)]).toEqual([2, limit]);
    a.set('k', 0, limit);
    expect([await elsewhere(a), await elsewhere(b)]).toEqual([limit, 0]);
    b.set('k', 0, limit);
    expect([await elsewhere(b), await elsewhere(a), await totals()]).toEqual([0, 0, {}]);
  });

  test('of a node that is gone go at the heartbeat of another, and come again if it does', async () => {
    const [a, b] = [await join('a'), await join('b')];
    const keys = Array.from({ length: 1200 }, (_, i) => `key ${i}`);
    for (const key of keys) b.set(key, limit, limit);
    b.set('k', 1, limit);
    a.set('k', limit - 1, limit);
    await b.refresh();
    expect([await elsewhere(a), await elsewhere(a, 'key 7')]).toEqual([1, limit]);
    await a.heartbeat();
    expect(await elsewhere(a)).toBe(1);
    await silence('b');
    await a.heartbeat();
    expect([await elsewhere(a), await elsewhere(a, 'key 7')]).toEqual([0, 0]);
    expect(await totals()).toEqual({ k: String(limit - 1) });
    await hello('b');
    await b.heartbeat();
    expect([await elsewhere(a), await elsewhere(a, 'key 7')]).toEqual([1, limit]);
  });

  test('that were taken away in part are taken away whole, or told anew', async () => {
    const [a, b] = [await join('a'), await join('b')];
    for (let i = 0; i < 1200; i++) b.set(`key ${i}`, limit, limit);
    await b.refresh();
    await silence('b');
    expect(await server.bury('b')).toBe(true);
    await hello('b');
    await b.heartbeat();
    expect([await server.bury('b'), await server.silent()]).toEqual([false, []]);
    expect(Object.keys(await totals())).toHaveLength(1200);
    await b.leave();
    expect([await elsewhere(a, 'key 7'), await totals()]).toEqual([0, {}]);
  });

  test('are told anew to a Redis that has lost them, and count for their own node while it is away', async () => {
    const [a, b] = [await join('a'), await join('b')];
    a.set('k', 2, limit);
    b.set('k', limit, limit);
    await b.refresh();
    expect(await elsewhere(a)).toBe(limit);
    await clear();
    expect([await elsewhere(a), await elsewhere(b), await elsewhere(a)]).toEqual([0, 2, limit]);
    a.lost();
    expect(await elsewhere(a)).toBe(0);
    a.set('k', 0, limit);
    a.set('come and gone', 1, limit);
    a.set('come and gone', 0, limit);
    a.set('here', 1, limit);
    await a.joined(server);
    expect([a.elsewhere('k'), await totals()]).toEqual([limit, { k: String(limit), here: '1' }]);
  });
}

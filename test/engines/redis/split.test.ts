import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type RedisProcess, startRedis } from '../../support/redis-server.ts';
import { commandsTo, openNode, single, until } from './fixtures.ts';

let former: RedisProcess;
let next: RedisProcess;
/** Where the next connections to the address go; the last one also takes all later ones. */
let route: number[] = [];
const sockets = new Set<Socket>();
const address = createServer((near) => {
  const far = connect((route.length > 1 ? route.shift() : route[0]) as number, '127.0.0.1');
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    sockets.add(one);
    one.on('error', () => undefined).on('close', () => other.destroy());
    one.pipe(other);
  }
});

beforeAll(async () => {
  former = await startRedis('--repl-diskless-sync-delay', '0');
  next = await startRedis('--replicaof', '127.0.0.1', String(former.port));
  await once(address.listen(0, '127.0.0.1'), 'listening');
});

afterAll(async () => {
  address.close();
  for (const socket of sockets) socket.destroy();
  await Promise.all([former.remove(), next.remove()]);
});

test('a node does not use two servers at a time, when its address becomes another one’s between its connections', async () => {
  const commands = commandsTo(next.url);
  const server = single(`redis://127.0.0.1:${(address.address() as AddressInfo).port}`);
  route = [former.port];
  const other = await openNode({ server });
  await other.publish('a', '1');
  await vi.waitUntil(async () => (await commands.xlen('{test}:log')) === 1, { timeout: 90_000 });
  await commands.replicaof('NO', 'ONE');
  route = [former.port, next.port];
  const opening = openNode({ server });
  // By then it has two connections, and a further one where it is not content with those.
  const isAgain = vi.waitUntil(() => sockets.size > 8, { timeout: 90_000 });
  await Promise.race([opening, isAgain]);
  await other.publish('a', 'only at the former one');
  const published = opening.then((node) => node.publish('a', 'at the next one'));
  await Promise.race([published, isAgain]);
  await former.kill();
  await published;
  const { feed } = await opening;
  await until(() => other.feed.resets.length === 1 && other.feed.topics.get('a')?.offset === 2, other);
  expect([feed.topics.get('a')?.epoch, other.feed.faults]).toEqual([other.feed.topics.get('a')?.epoch, []]);
  await isAgain;
});

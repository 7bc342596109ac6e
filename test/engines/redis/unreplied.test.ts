import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RedisProcess, startRedis } from '../../support/redis-server.ts';
import { openNode, single, until } from './fixtures.ts';

/** One connection of a node, as a network makes it of which a part fails. */
interface Path {
  readonly near: Socket;
  /** Nothing of what Redis sends arrives any more, nor that it has ended. */
  isMute: boolean;
}

let redis: RedisProcess;
const paths: Path[] = [];
const network = createServer({ allowHalfOpen: true }, (near) => {
  const far = connect(redis.port, '127.0.0.1');
  const path = { near, isMute: false };
  paths.push(path);
  near.on('data', (chunk) => far.write(chunk));
  far.on('data', (chunk) => path.isMute || near.write(chunk));
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const)
    one.on('error', () => undefined).on('close', () => path.isMute || other.destroy());
});

beforeAll(async () => {
  redis = await startRedis();
  await once(network.listen(0, '127.0.0.1'), 'listening');
});

afterAll(async () => {
  network.close();
  for (const { near } of paths) near.destroy();
  await redis.remove();
});

test('a batch is not done again whose reply is given up only after the node has reconnected', async () => {
  const { port } = network.address() as AddressInfo;
  const node = await openNode({ server: single(`redis://127.0.0.1:${port}`, 2000) });
  await node.publish('a', 'before');
  const [commands, tail] = paths as [Path, Path];
  tail.isMute = true;
  const published = node.publish('a', 'once');
  const other = await openNode({ server: single(redis.url) });
  await until(() => other.feed.topics.get('a')?.offset === 2, other);
  commands.near.destroy();
  await until(() => node.feed.cause !== undefined, node);
  await until(() => node.feed.cause === undefined, node);
  // As many that nothing of the former connection is remembered.
  for (let i = 0; i < 20; i++) await node.publish('b', String(i));
  expect(await published).toMatchObject({ ok: true, offset: 2 });
  expect(node.feed.topics.get('a')?.values).toEqual(['"before"', '"once"']);
});

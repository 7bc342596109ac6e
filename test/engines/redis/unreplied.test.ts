import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RedisProcess, startRedis } from '../../support/redis-server.ts';
import { openNode, single, until } from './fixtures.ts';

/** One connection of a node, as a network makes it of which a part fails. */
interface Path {
  readonly near: Socket;
  readonly far: Socket;
  /** Nothing of what Redis sends arrives any more, nor that it has ended. */
  isMute: boolean;
  /** What the node sends stays here; undefined: it goes to Redis. */
  held: Buffer[] | undefined;
}

let redis: RedisProcess;
const paths: Path[] = [];
const network = createServer({ allowHalfOpen: true }, (near) => {
  const far = connect(redis.port, '127.0.0.1');
  const path: Path = { near, far, isMute: false, held: undefined };
  paths.push(path);
  near.on('data', (chunk) => (path.held === undefined ? far.write(chunk) : path.held.push(chunk)));
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

async function openNodeByNetwork() {
  const { port } = network.address() as AddressInfo;
  const node = await openNode({ server: single(`redis://127.0.0.1:${port}`, 2000) });
  const [commands, tail] = paths.slice(-2) as [Path, Path];
  return { node, commands, tail };
}

test('a batch is not done again whose reply is given up only after the node has reconnected', async () => {
  const { node, commands, tail } = await openNodeByNetwork();
  await node.publish('a', 'before');
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

test('a batch that arrives after its node has given it up is not done', async () => {
  const { node, commands, tail } = await openNodeByNetwork();
  await node.publish('late', 'before');
  tail.isMute = true;
  tail.held = [];
  const published = node.publish('late', 'once');
  // A heartbeat may come first.
  while (!Buffer.concat(tail.held).includes('once')) await once(tail.near, 'data');
  commands.near.destroy();
  expect(await published).toMatchObject({ ok: true, offset: 2 });
  tail.far.write(Buffer.concat(tail.held));
  for (let replies = ''; !replies.includes('fenced'); ) replies += String(await once(tail.far, 'data'));
  expect(await node.publish('late', 'after')).toMatchObject({ ok: true, offset: 3 });
  expect(node.feed.topics.get('late')?.values).toEqual(['"before"', '"once"', '"after"']);
});

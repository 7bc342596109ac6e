import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { connect } from '../../../src/engines/redis/connection.ts';
import type { RedisServer } from '../../../src/engines/redis/options.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { type RedisGroup, startRedisCluster, startRedisWithSentinel } from '../../support/redis-groups.ts';
import { newFolder } from '../../support/temporary.ts';
import { type CountedRedis, countsSuite } from './counts-suite.ts';
import { type Node, openNode, serverAt, single, until, valued } from './fixtures.ts';

const folder = newFolder();
/** Servers of a group tell each other's addresses, not names. */
const files = makeCertificate(folder, 'redis', 'DNS:localhost');
const [cert, key] = [readFileSync(files.cert), readFileSync(files.key)];
const tls = { ca: cert, cert, key, servername: 'localhost' };
const groups = new Map<string, RedisGroup>();

beforeAll(async () => {
  const [cluster, sentinel] = await Promise.all([
    startRedisCluster({ tls: files, replicas: 1 }),
    startRedisWithSentinel({ tls: files }),
  ]);
  groups.set('cluster', cluster).set('sentinel', sentinel);
});

afterAll(() => Promise.all([...groups.values()].map((group) => group.remove())));

type Kind = 'cluster' | 'sentinel';

const urlsOf = (kind: Kind, host: string) =>
  (groups.get(kind)?.urls ?? []).map((url) => url.replace('127.0.0.1', host));

function serverOf(kind: Kind, host = 'localhost'): RedisServer {
  const tlsFiles = { ca: files.cert, ...files };
  return { ...single(''), kind, urls: urlsOf(kind, host), sentinelName: 'main', tlsFiles };
}

const portOf = (url: string | undefined) => Number(new URL(url ?? '').port);

const commandsTo = {
  cluster: () =>
    new Cluster([{ host: '127.0.0.1', port: portOf(groups.get('cluster')?.urls[0]) }], {
      redisOptions: { tls },
    }),
  sentinel: () => new Redis({ port: groups.get('sentinel')?.servers[0]?.port ?? 0, tls }),
};

describe.each(['cluster', 'sentinel'] as const)('a %s by TLS', (kind) => {
  let counted: CountedRedis;

  beforeAll(async () => {
    counted = {
      server: await serverAt({ ...serverOf(kind), timeoutMs: 60_000 }),
      commands: commandsTo[kind](),
    };
  });

  afterAll(() => {
    counted.server.close();
    counted.commands.disconnect();
  });

  countsSuite(() => counted);

  test('is one for all nodes: each hears of what the others publish, once and in order', async () => {
    const nodes = await Promise.all([1, 2].map(() => openNode({ server: serverOf(kind) })));
    const [a, b] = nodes as [Node, Node];
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => nodes[i % 2]?.publish('a', String(i), { messageId: `${i}` })),
    );
    await until(() => nodes.every(({ feed }) => feed.topics.get('a')?.offset === 100), a, b);
    expect(a.feed.topics.get('a')).toEqual(b.feed.topics.get('a'));
    for (const { feed } of nodes) expect([feed.cause, feed.faults]).toEqual([undefined, []]);
  });

  test('is refused where its certificates are for another host', async () => {
    const reached = connect(serverOf(kind, '127.0.0.1'), 'commands', () => undefined);
    await expect(reached).rejects.toThrow(/not match certificate.*127\.0\.0\.1/);
  });

  test('acknowledges what as many replicas have as are asked for, and nothing else', async () => {
    const open = (timeoutMs: number, options: { prefix?: string; minReplicas: number }) =>
      openNode({ server: { ...serverOf(kind), timeoutMs }, ...options });
    const enough = await open(60_000, has[kind]);
    // Of a cluster one after another, as each might ask another master.
    for (let i = 0; i < 6; i++)
      expect(await enough.engine.append([valued('a', String(i))])).toMatchObject([{ ok: true }]);
    const short = await open(3000, lacks[kind]);
    expect(await short.engine.append([valued('a', '1')])).toMatchObject([
      { ok: false, error: { code: 'engine_unavailable' } },
    ]);
  });
});

test('a Sentinel that does not answer is passed over, without a word on the console', async () => {
  const printed = vi.spyOn(console, 'error').mockReturnValue(undefined);
  let reached = 0;
  const gone = createServer((socket) => {
    socket.resetAndDestroy();
    gone.emit(`reached ${++reached}`);
  });
  await once(gone.listen(0, '127.0.0.1'), 'listening');
  const { port } = gone.address() as AddressInfo;
  const server = serverOf('sentinel');
  // The first connection asks for the master, the second one waits for a failover.
  const waits = once(gone, 'reached 2');
  const urls = [`rediss://localhost:${port}`, ...server.urls];
  const connection = await connect({ ...server, urls }, 'commands', () => undefined);
  await waits;
  for (let i = 0; i < 3; i++) expect(String(await connection.call('PING'))).toBe('PONG');
  expect(printed.mock.calls).toEqual([]);
  printed.mockRestore();
  connection.close();
  gone.close();
});

/** The slot of this prefix is of the master that has a replica, that of `test` is not. */
const has = { cluster: { prefix: 'copied', minReplicas: 1 }, sentinel: { minReplicas: 1 } };
const lacks = { cluster: { minReplicas: 1 }, sentinel: { minReplicas: 2 } };

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { RedisServer } from '../../../src/engines/redis/options.ts';
import { Server } from '../../../src/engines/redis/server.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { type RedisProcess, startRedisBy } from '../../support/redis-server.ts';
import { newFolder } from '../../support/temporary.ts';
import { openNode, single, until, valued } from './fixtures.ts';

const folder = newFolder();
const files = makeCertificate(folder, 'redis');
const { cert, key } = files;
const page = readFileSync(join(import.meta.dirname, '../../../src/engines/redis/REDIS.md'), 'utf8');
/** What the page says of the user, for the prefix of these tests. */
const rules = (/ACL SETUSER sluice (.*)/.exec(page)?.[1] ?? '').replaceAll('{sluice}', '{test}').split(' ');
let redis: RedisProcess;
let admin: Redis;

beforeAll(async () => {
  const users = [
    ['default', 'off'],
    ['sluice', ...rules],
    ['poor', 'on', '>SECRET', '~{test}:*', '+@read', '+info', '+client|setname'],
    ['admin', 'on', '>SECRET', '+@all', '~*'],
  ];
  redis = await startRedisBy(files, ...users.flatMap((user) => ['--user', ...user]));
  const tls = { ca: readFileSync(cert), cert: readFileSync(cert), key: readFileSync(key) };
  admin = new Redis({ port: redis.port, username: 'admin', password: 'SECRET', tls });
});
afterAll(async () => {
  admin.disconnect();
  await redis.remove();
});

const server = (user: string, tlsFiles: RedisServer['tlsFiles'] = { ca: cert, cert, key }): RedisServer => ({
  ...single(`rediss://${user}@127.0.0.1:${redis.port}`),
  tlsFiles,
});

const open = () => openNode({ server: server('sluice:SECRET') });

test('nodes reach a Redis by TLS, with a certificate of their own and as a user with few rights', async () => {
  const [a, b] = [await open(), await open()];
  await a.publish('a', '1', { messageId: 'once' });
  await b.publish('state', '2', { key: 'k' });
  await until(() => b.feed.topics.get('a')?.offset === 1 && a.feed.topics.has('state'), a, b);
  a.engine.acknowledged.set('a', 'alice', { epoch: a.feed.topics.get('a')?.epoch ?? '', offset: 1 });
  a.engine.forget('state');
  await a.publish('a', '2');
  const c = await open();
  expect(c.feed.topics.get('a')).toMatchObject({ offset: 2 });
  for (const { feed } of [a, b, c]) expect([feed.cause, feed.faults]).toEqual([undefined, []]);
  expect(await admin.acl('LOG')).toEqual([]);
});

test('a node waits for a Redis that it reaches and that refuses the work, and says so', async () => {
  const warnings: string[] = [];
  const warned = ({ message }: Error) => warnings.push(message);
  process.on('warning', warned);
  await admin.config('SET', 'maxmemory', '1');
  const opening = openNode({
    server: server('sluice:SECRET'),
    openWithinMs: { unreached: 0, reached: 60_000 },
  });
  const refusal = `Redis can't be used at 127.0.0.1:${redis.port}: OOM`;
  await expect.poll(() => warnings).toContainEqual(expect.stringContaining(refusal));
  process.off('warning', warned);
  await admin.config('SET', 'maxmemory', '0');
  await opening;
});

test.each([
  ['a wrong password', 'sluice:wrong', undefined, 'WRONGPASS'],
  ['an authority that it does not know', 'sluice:SECRET', {}, 'self-signed certificate'],
  ['a file that is not there', 'sluice:SECRET', { ca: join(folder, 'none') }, 'ENOENT'],
  ['a right that it lacks', 'poor:SECRET', undefined, 'NOPERM'],
])('with %s a node does not start, and says why at once', async (_, user, tlsFiles, why) => {
  // At the first attempt, or the test takes too long.
  const openWithinMs = { unreached: 600_000, reached: 600_000 };
  await expect(openNode({ server: server(user, tlsFiles), openWithinMs })).rejects.toThrow(why);
});

test.each(['single', 'cluster', 'sentinel'] as const)(
  'a node does not start where the scheme of a URL (%s) is wrong, and says which it is',
  async (kind) => {
    const plain = await startRedisBy(undefined, '--requirepass', 'SECRET');
    try {
      const wrong = async (url: string) => {
        const of = { ...single(url), kind, sentinelName: 'main', timeoutMs: 500, tlsFiles: { ca: cert } };
        await openNode({ server: of, openWithinMs: { unreached: 600_000, reached: 600_000 } });
      };
      await expect(wrong(`rediss://127.0.0.1:${plain.port}`)).rejects.toThrow('speaks no TLS there');
      await expect(wrong(`redis://127.0.0.1:${redis.port}`)).rejects.toThrow('begins with rediss://');
    } finally {
      await plain.remove();
    }
  },
);

test.each([
  ['SECRET', 'cluster support disabled'],
  ['wrong', 'WRONGPASS'],
])('a cluster is told what its server said: password %s', async (password, why) => {
  const plain = await startRedisBy(undefined, '--requirepass', 'SECRET');
  try {
    const of = { ...single(`redis://:${password}@127.0.0.1:${plain.port}`), kind: 'cluster' } as const;
    const openWithinMs = { unreached: 600_000, reached: 600_000 };
    await expect(openNode({ server: of, openWithinMs })).rejects.toThrow(why);
  } finally {
    await plain.remove();
  }
});

test.each([
  ['that there is not', '99', 'sluice:SECRET', 'DB index is out of range'],
  ['that the user may not select', '3', 'sluice:SECRET', "'select'"],
])('with a database %s a node does not start, and does not take the first one', async (_, db, user, why) => {
  if (db === '99') await admin.acl('SETUSER', 'sluice', '+select');
  const reached = server(user);
  const openWithinMs = { unreached: 600_000, reached: 600_000 };
  const opened = openNode({ server: { ...reached, urls: [`${reached.urls[0]}/${db}`] }, openWithinMs });
  await expect(opened).rejects.toThrow(why);
  await admin.acl('SETUSER', 'sluice', '-select');
});

test('the name and the password of a user may hold any characters, percent-encoded in the URL', async () => {
  const [name, password] = ['us:er@host', 'p@ss/w:rd%?#'];
  await admin.acl('SETUSER', name, 'reset', ...rules, `>${password}`);
  const user = [name, password].map(encodeURIComponent).join(':');
  const node = await openNode({ server: server(user) });
  expect(await node.publish('odd', '1')).toMatchObject({ ok: true });
});

test.each(['INFO', 'TIME', 'HMGET', 'HSET', 'XREVRANGE'])(
  'a node whose user lacks the command %s does not start, and names it at once',
  async (command) => {
    await admin.acl('SETUSER', 'poorer', 'reset', ...rules, `-${command}`);
    const openWithinMs = { unreached: 600_000, reached: 600_000 };
    const opened = openNode({ server: server('poorer:SECRET'), openWithinMs });
    const written = vi.spyOn(console, 'warn');
    await expect(opened).rejects.toThrow(new RegExp(`\\b${command}\\b`, 'i'));
    expect(written).not.toHaveBeenCalled();
    written.mockRestore();
  },
);

test('while a user lacks a right, nothing begins anew, and the cause names the command', async () => {
  const node = await open();
  const before = await node.publish('rights', '1');
  await admin.acl('SETUSER', 'sluice', '-xrevrange');
  await until(() => node.feed.cause !== undefined, node);
  expect(node.feed.cause?.message).toContain('XREVRANGE');
  await admin.acl('SETUSER', 'sluice', '+xrevrange');
  const after = await node.publish('rights', '2');
  expect(after).toEqual({ ...before, offset: 2 });
  expect([node.feed.resets, node.feed.faults]).toEqual([[], []]);
});

test('a right that is lost in mid-commit: no offset is given twice, and a repeat is published', async () => {
  const [a, b] = [await open(), await open()];
  const first = await a.publish('cut', '1');
  await admin.acl('SETUSER', 'sluice', '-hset');
  const cut = valued('cut', '2', { messageId: 'm' });
  expect(await a.engine.append([cut])).toMatchObject([{ ok: false, error: { code: 'engine_unavailable' } }]);
  // Until a heartbeat has failed by it, too.
  await until(() => b.feed.cause?.message.includes('HSET') === true, b);
  await admin.acl('SETUSER', 'sluice', '+hset');
  const other = await b.publish('cut', '3');
  const again = await a.publish('cut', '2', { messageId: 'm' });
  expect([other, again]).toMatchObject([
    { ok: true, offset: 2 },
    { ok: true, offset: 3, duplicate: false },
  ]);
  expect(other).not.toMatchObject({ epoch: (first as { epoch: string }).epoch });
  await until(() => [a, b].every(({ feed }) => feed.topics.get('cut')?.offset === 3), a, b);
  expect([a.feed.faults, b.feed.faults]).toEqual([[], []]);
});

test.each(['set', 'rpush'])(
  'a right to %s that is lost after a commit: it is acknowledged, and what is missing is named',
  async (command) => {
    const node = await open();
    const warned = vi.spyOn(process, 'emitWarning').mockReturnValue(undefined);
    await admin.acl('SETUSER', 'sluice', `-${command}`);
    const topic = `without:${command}`;
    expect(await node.publish(topic, '1', { messageId: 'm' })).toMatchObject({ ok: true, offset: 1 });
    // Without its place in the list nothing would remove it.
    expect(await admin.exists(`{test}:id:${topic} m`)).toBe(0);
    await admin.acl('SETUSER', 'sluice', `+${command}`);
    expect(String(warned.mock.calls)).toContain('Redis refuses to remember message ids');
    warned.mockRestore();
    expect([node.feed.cause, node.feed.faults]).toEqual([undefined, []]);
  },
);

test('a node whose user may no longer publish to the feed reads its own publications before its next heartbeat', async () => {
  const node = await open();
  const { hello } = Server.prototype;
  let release: () => void = () => undefined;
  const published = new Promise<void>((resolve) => {
    release = resolve;
  });
  const greet = vi.spyOn(Server.prototype, 'hello').mockImplementation(async function (
    this: Server,
    ...about
  ) {
    await published;
    return hello.apply(this, about);
  });
  await admin.acl('SETUSER', 'sluice', '-publish');
  for (const value of ['1', '2']) expect(await node.publish('own', value)).toMatchObject({ ok: true });
  release();
  await admin.acl('SETUSER', 'sluice', '+publish');
  greet.mockRestore();
  expect([node.feed.cause, node.feed.faults]).toEqual([undefined, []]);
});

test('a user who may no longer publish to the feed: nodes hear of everything all the same, and warn', async () => {
  const [a, b] = [await open(), await open()];
  const warnings: string[] = [];
  const warned = ({ message }: Error) => warnings.push(message);
  process.on('warning', warned);
  await admin.acl('SETUSER', 'sluice', '-publish');
  const outcome = await a.publish('unfed', '1', { messageId: 'm' });
  await until(() => b.feed.topics.get('unfed')?.offset === 1, b);
  await expect
    .poll(() => warnings)
    .toEqual([
      expect.stringMatching(/^Redis refuses to publish to \{test\}:feed: .*once a second \(PUBLISH .*\)\.$/),
    ]);
  process.off('warning', warned);
  expect([outcome.ok, a.feed.cause, a.feed.faults]).toEqual([true, undefined, []]);
  await admin.acl('SETUSER', 'sluice', '+publish');
});

import { describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import { ConfigError, loadConfig } from '../../src/config.ts';
import { startGateway } from '../support/gateway.ts';
import { ofFile } from '../support/opened.ts';
import { apiKey } from '../support/tokens.ts';
import { OldClient } from '../systems/clients/old-client.ts';
import { startSystems } from '../systems/gateway.ts';

const paths = {
  a: '/api/v1/websocket/ws/monitoring/web-01',
  b: '/market/ws',
  c: '/api/ws/realtime',
  d: '/api/v1/ws/alice',
  e: '/',
} as const;

const gateway = ofFile(() => startSystems({ compat: ['a', 'b', 'c', 'd', 'e'], commandsPerSecond: 10_000 }));

const urlOf = (path: string, token = apiKey) => `${gateway.socketBase}${path}?token=${token}`;

/** What no name in any of the systems may be. */
const wrongNames = [
  '',
  '../etc',
  '..',
  'a/../b',
  'a b',
  'ü',
  'x*',
  'a\u0000b',
  '\ud800',
  '$',
  'x'.repeat(2000),
];
const noNames = [true, 1.5, {}, [[]], [null]];

/** The messages of each system that name something, with a name. */
const naming: Readonly<Record<keyof typeof paths, readonly ((name: unknown) => object)[]>> = {
  a: [
    (name) => ({ type: 'subscribe', data: { server_ids: [name] } }),
    (name) => ({ type: 'subscribe', server_id: name }),
    (name) => ({ type: 'unsubscribe', data: { server_ids: name } }),
  ],
  b: ['subscribe', 'unsubscribe'].map((type) => (symbol) => ({ type, symbol })),
  c: ['subscribe', 'unsubscribe'].map((type) => (topic) => ({ type, topic })),
  d: ['room_subscribe', 'room_unsubscribe'].map((type) => (room) => ({ type, room })),
  e: ['join_job', 'leave_job'].map((type) => (job_id) => ({ type, job_id })),
};

/** Texts that are no message of any system. */
const noMessages = [
  '',
  '{',
  '[]',
  '3',
  '{}',
  '{"type":3}',
  '{"type":"nope"}',
  '{"type":"ping","type":"ping"}',
];

describe('the five systems on one gateway', () => {
  test.each(Object.entries(naming))(
    '%s: each message that is wrong gets an error',
    async (system, messages) => {
      const client = await new OldClient(urlOf(paths[system as keyof typeof paths])).opened();
      const wrong = [...wrongNames, ...noNames].flatMap((name) => messages.map((make) => make(name)));
      const texts = [...wrong.map((message) => JSON.stringify(message)), ...noMessages];
      for (const text of texts) {
        const before = client.frames.length;
        client.socket.send(text);
        const { type } = await client.ask({ type: 'ping' }, 'pong');
        const answers = client.frames.slice(before).map((message) => message.type);
        expect([text, answers, type]).toEqual([text, ['error', 'pong'], 'pong']);
      }
      client.socket.send(Buffer.from('{"type":"ping"}'), { binary: true });
      const told = await client.message('error', (each) => JSON.stringify(each).includes('text messages'));
      expect(JSON.stringify(told)).toContain('"this WebSocket takes text messages"');
      await client.close();
    },
  );

  test.each(Object.entries(paths))(
    '%s: a client may answer a ping that the gateway did not send',
    async (_, path) => {
      const client = await new OldClient(urlOf(path)).opened();
      client.send({ type: 'pong' });
      client.send({ timestamp: 1, data: {}, type: 'pong' });
      await client.ask({ type: 'ping' }, 'pong');
      expect(client.frames.filter(({ type }) => type === 'pong' || type === 'error')).toHaveLength(1);
      await client.close();
    },
  );

  test('c: takes a topic in `data`, as the others take what they name', async () => {
    const client = await new OldClient(urlOf(paths.c)).opened();
    const subscription = await client.ask({ type: 'subscribe', data: { topic: 'stats' } }, 'subscription');
    expect(subscription).toMatchObject({ topic: 'stats' });
    await client.close();
  });

  test('count the bytes of each apart', async () => {
    const counted = await startSystems({ compat: ['a', 'c'] });
    const open = async (path: string) =>
      new OldClient(`ws://127.0.0.1:${counted.port}${path}?token=${apiKey}`).opened();
    const [a, c] = [await open(paths.a), await open(paths.c)];
    let bytes = 0;
    a.socket.on('message', (data) => (bytes += data.toString().length));
    await a.ask({ type: 'ping' }, 'pong');
    await c.ask({ type: 'subscribe', topic: 'logs' }, 'subscription');
    await counted.publish({ topic: 'server:web-01', type: 'monitoring_update', data: { cpu: 1 } });
    await counted.publish({ topic: 'admin:logs', type: 'log', data: 'x'.repeat(1000) });
    await Promise.all([a.message('monitoring_update'), c.message('log')]);
    expect(await counted.read('/api/v1/websocket/stats')).toMatchObject({
      messages_sent: 2,
      bytes_sent: bytes,
    });
    await Promise.all([a.close(), c.close()]);
    await counted.close();
  });

  test('do not touch each other, nor the clients of the gateway itself', async () => {
    const open = async (path: string) => new OldClient(urlOf(path)).opened();
    const [a, b, c, d, e] = await Promise.all(Object.values(paths).map(open));
    const native = await gateway.open();
    b?.send({ type: 'subscribe', symbol: 'web-01' });
    await c?.ask({ type: 'subscribe', topic: 'stats' }, 'subscription');
    d?.send({ type: 'room_subscribe', room: 'web-01' });
    e?.send({ type: 'join_job', job_id: 'web-01' });
    const all = [a, b, c, d, e];
    for (const each of all) await each?.ask({ type: 'ping' }, 'pong');
    // The same name in each system.
    for (const topic of ['server:web-01', 'market:web-01', 'admin:stats', 'room:web-01', 'job:web-01'])
      await gateway.publish({ topic, type: 'news', data: { of: topic } });
    for (const topic of ['compat:a', 'compat:b', 'compat:d', 'user:alice'])
      await gateway.publish({ topic, type: 'news', data: { of: topic } });
    await gateway.send('POST', '/api/broadcast', { type: 'last', data: {} });
    for (const each of all) await each?.message('last');
    await native.until(({ type }) => type === 'last');
    const heard = all.map((each) =>
      each?.publications('news').map(({ data, of }) => of ?? (data as { of: string }).of),
    );
    expect(heard).toEqual([
      ['server:web-01', 'compat:a'],
      ['market:web-01', 'compat:b'],
      ['admin:stats'],
      ['room:web-01', 'compat:d', 'user:alice'],
      ['job:web-01'],
    ]);
    expect(native.frames.filter(({ type }) => type === 'news')).toEqual([]);
    await Promise.all(all.map((each) => each?.close()));
  });

  test('admit no page of a foreign origin, and no client without a credential', async () => {
    for (const path of Object.values(paths)) {
      const foreign = new WebSocket(urlOf(path), { headers: { origin: 'https://evil.example' } });
      const status = await new Promise((resolve) => {
        foreign.on('unexpected-response', (_, response) => {
          response.resume();
          resolve(response.statusCode);
        });
        foreign.on('error', () => undefined);
      });
      expect([path, status]).toEqual([path, 403]);
      expect([path, await new OldClient(urlOf(path, '')).refused()]).toEqual([path, 401]);
      expect([path, await new OldClient(urlOf(path, 'wrong')).refused()]).toEqual([path, 401]);
    }
  });

  test('tell a request without an upgrade why a client may not connect', async () => {
    const ask = async (path: string, token?: string) => {
      const response = await fetch(urlOf(path, token).replace('ws:', 'http:'));
      const { error } = (await response.json()) as { error: { code: string } };
      return [path, response.status, error.code];
    };
    const others = Object.values(paths).filter((path) => path !== '/');
    for (const path of others) {
      expect(await ask(path)).toEqual([path, 426, 'upgrade_required']);
      expect(await ask(path, 'wrong')).toEqual([path, 401, 'unauthorized']);
    }
    const server = '/api/v1/websocket/ws/monitoring/web*';
    expect(await ask(server)).toEqual([server, 400, 'invalid_topic']);
    const [own, foreign] = ['/api/v1/ws/alice', '/api/v1/ws/bob'];
    const token = await gateway.token('alice');
    expect(await ask(own, token)).toEqual([own, 426, 'upgrade_required']);
    expect(await ask(foreign, token)).toEqual([foreign, 403, 'forbidden']);
    const users = Array.from({ length: 20 }, () => new OldClient(urlOf(own, token)).opened());
    const all = await Promise.all(users);
    expect(await ask(own, token)).toEqual([own, 429, 'too_many_connections_of_user']);
    await Promise.all(all.map((each) => each.close()));
    // These are routes of HTTP, and `stats` may be a user, too.
    expect((await fetch(`${gateway.url}/`)).headers.get('content-type')).toContain('text/html');
    expect(await gateway.read('/api/v1/ws/stats')).toHaveProperty('total_rooms');
    const stats = await new OldClient(urlOf('/api/v1/ws/stats', await gateway.token('stats'))).opened();
    expect(await stats.ask({ type: 'ping' }, 'pong')).toMatchObject({ user_id: 'stats' });
    await stats.close();
  });

  test('leave the paths of the gateway itself what they are', async () => {
    const client = await gateway.open();
    expect(await client.call({ type: 'subscribe', topic: 'market:X' })).toMatchObject({ type: 'subscribed' });
    expect(await client.call({ type: 'status' })).toMatchObject({ session: expect.any(String) });
    // Old names, beside its own.
    expect(await client.call({ type: 'stats' })).toMatchObject({
      type: 'stats',
      id: 3,
      data: {},
      timestamp: expect.stringMatching(/Z$/),
    });
    const plain = await gateway.open('eve');
    expect(await plain.call({ type: 'stats' })).toMatchObject({ type: 'error', code: 'forbidden' });
    expect(await plain.call({ type: 'room_subscribe', room: 'secret' })).toMatchObject({
      results: [{ topic: 'room:secret', error: { code: 'forbidden' } }],
    });
    const document = await gateway.read<{ paths: object }>('/openapi.json');
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining(['/market/stats', '/api/v1/ws/stats']),
    );
  });
});

describe('a gateway without older systems', () => {
  test('knows none of their paths', async () => {
    const plain = await startGateway();
    for (const path of ['/api/v1/websocket/stats', '/market/stats', '/api/v1/ws/stats', '/api/ws/realtime'])
      expect([path, (await fetch(plain.url + path)).status]).toEqual([path, 404]);
    for (const path of Object.values(paths))
      expect([path, await new OldClient(`ws://127.0.0.1:${plain.port}${path}`).refused()]).not.toEqual([
        path,
        101,
      ]);
    expect(plain.compatPort).toBeUndefined();
    await plain.close();
  });
});

describe('the options of older systems', () => {
  const faultsOf = (flags: object) => {
    try {
      loadConfig({ flags });
      return [];
    } catch (error) {
      return error instanceof ConfigError ? error.faults : [String(error)];
    }
  };

  test('name systems that there are, and a port only for the one that may have one', () => {
    expect(loadConfig({ flags: { compat: 'a,b' } }).compat).toEqual(['a', 'b']);
    expect(loadConfig({}).compatPort).toBeUndefined();
    expect(loadConfig({ flags: { compat: 'b', compatPort: '9001' } }).compatPort).toBe(9001);
    expect(faultsOf({ compat: 'a,f' })).toEqual([
      expect.stringMatching(/^--compat: must be of a, b, c, d, e/),
    ]);
    expect(faultsOf({ compat: 'a', compatPort: 9001 })).toEqual([
      'compatPort is for system b, which compat does not name',
    ]);
    expect(faultsOf({ compat: 'b', compatPort: 8080 })).toEqual([
      'compatPort must be another port than port',
    ]);
    expect(faultsOf({ compat: 'b', compatPort: 65_536 })).toHaveLength(1);
    expect(faultsOf({ compatNamespaces: 'b:x' })).toHaveLength(1);
    expect(faultsOf({ compatNamespaces: ['a=fleet', 'd=räume', 'c=x'] })).toEqual([
      expect.stringMatching(/^--compat-namespace: must be like .*, not "d=räume"$/),
    ]);
    expect(faultsOf({ compatNamespaces: ['b=x', 'b=y'] })).toEqual(['compatNamespaces names a system twice']);
    const shared = ['compatNamespaces gives two systems one namespace'];
    expect(faultsOf({ compat: 'a,b', compatNamespaces: 'a=x,b=x' })).toEqual(shared);
    expect(faultsOf({ compat: 'a,e', compatNamespaces: 'a=job' })).toEqual(shared);
    expect(faultsOf({ compat: 'a,a', compatNamespaces: 'a=market' })).toEqual([]);
    // Their reports and their polls are native routes, which have one namespace.
    expect(faultsOf({ compatNamespaces: 'e=tasks' })).toHaveLength(1);
  });

  test('give a system another namespace', async () => {
    const other = await startGateway({ compat: ['b'], compatNamespaces: ['b=prices'] });
    const client = await new OldClient(`ws://127.0.0.1:${other.port}/market/ws`).opened();
    client.send({ type: 'subscribe', symbol: 'X' });
    await client.ask({ type: 'get_status' }, 'status');
    await other.publish({ topic: 'market:X', type: 'tick', data: 1 });
    await other.publish({ topic: 'prices:X', type: 'tick', data: 2 });
    expect(await client.message('tick')).toMatchObject({ symbol: 'X', data: 2 });
    await client.close();
    await other.close();
  });

  test('give it one with the built-in options of the usual one, beneath those of the file', () => {
    const { namespaces } = loadConfig({
      flags: { compatNamespaces: ['a=fleet', 'd=club'] },
      entries: { namespaces: { fleet: { refreshMs: 30_000 } } },
    });
    expect(namespaces['fleet']).toMatchObject({ mode: 'state', refreshMs: 30_000 });
    expect(namespaces['club']).toEqual(namespaces.default);
    expect(namespaces['server']).toMatchObject({ mode: 'state', refreshMs: 0 });
    const own = loadConfig({
      flags: { compatNamespaces: 'a=fleet' },
      entries: { namespaces: { fleet: { mode: 'stream' } } },
    });
    expect(own.namespaces['fleet']?.mode).toBe('stream');
  });
});

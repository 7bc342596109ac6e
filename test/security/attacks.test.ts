import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { JsonClient } from '../support/json-client.ts';
import { clientFrame, RawSocket, upgradeRequest } from '../support/raw-socket.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';
import { attacks } from './attacks.ts';

const connectionsMax = 1300;
const byKey = { 'x-api-key': apiKey };
const planted = 'planted-in-another-inbox';

let gateway: TestGateway;
let aliceToken: string;
const sockets: RawSocket[] = [];
const clients: JsonClient[] = [];

beforeAll(async () => {
  gateway = await startGateway({
    apiKeys: [apiKey],
    tokenSecret,
    connectionsMax,
    connectionsMaxPerIp: 60,
    handshakesPerSecondPerIp: 1000,
    httpConnectionsPerSecondPerIp: 2000,
    compat: ['d', 'e'],
  });
  const topics = [{ pattern: 'room:*', allow: ['subscribe', 'publish', 'presence'] }];
  aliceToken = await signToken({ sub: 'alice', topics });
  await publish({ topic: 'user:bob', data: planted });
});

/** Whatever was done, others are served. */
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.kill();
  for (const client of clients.splice(0)) await client.close();
  const other = await enter(await signToken({ sub: 'carol' }), '', '127.0.0.9');
  expect((await other.call({ type: 'ping' })).type).toBe('pong');
  await other.close();
});

afterAll(() => gateway.close());

async function publish(fields: object): Promise<number> {
  return (await gateway.post('/api/publish', JSON.stringify({ type: 'x', ...fields }), byKey)).status;
}

async function enter(credential: string, path = '', localAddress = '127.0.0.1'): Promise<JsonClient> {
  const client = await JsonClient.open(`${gateway.wsUrl}${path}?token=${credential}`, [], { localAddress });
  clients.push(client);
  return client;
}

async function raw(localAddress?: string): Promise<RawSocket> {
  const socket = await RawSocket.open(gateway.port, localAddress);
  sockets.push(socket);
  return socket;
}

test('every attack of the table has tests, and all of these exist', () => {
  const root = join(import.meta.dirname, '..');
  const missing = attacks.flatMap(({ attack, tests }) =>
    tests
      .filter(([file, title]) => !readFileSync(join(root, file), 'utf8').includes(title))
      .map((at) => [attack, at]),
  );
  expect(missing).toEqual([]);
  expect(attacks.filter(({ tests }) => tests.length === 0)).toEqual([]);
});

describe('the topic of another user', () => {
  const spellings = [
    ...[
      'user:bob',
      'user:%62ob',
      'user:b%6fb',
      'user:b%6Fb',
      'user:%62%6F%62',
      'user:bo*',
      'user:*',
      'us*',
      '*',
    ],
    ...['USER:bob', 'user:bob ', 'user::bob', 'user:./bob', 'user:bob%00', 'user%3Abob', 'user%253Abob'],
    ...[
      'user:ｂob',
      'user:bob\u200b',
      'user:bob\n',
      'user:bob/..',
      '$user:bob',
      'user:%C2%A0bob',
      'user:\u0000bob',
    ],
  ];

  test.each(spellings)('is neither read nor written by another one, by any door: %s', async (topic) => {
    const segment = encodeURIComponent(topic);
    const asAlice = { authorization: `Bearer ${aliceToken}` };
    const read = async (path: string) => {
      const response = await fetch(`${gateway.url}${path}`, { headers: asAlice });
      return `${response.status} ${await response.text()}`;
    };
    const reads = [
      ...['', '/history', '/latest'].map((rest) => `/api/topics/${segment}${rest}`),
      ...['sse', 'poll'].map((door) => `/${door}?topic=${segment}&timeoutSeconds=1`),
      `/api/jobs/${segment}/status`,
      '/api/users/bob/connections',
      `/ws/${segment}`,
    ];
    for (const path of reads) {
      const answer = await read(path);
      expect([path, answer.includes(planted)]).toEqual([path, false]);
      expect([path, Number(answer.slice(0, 3))]).toEqual([path, expect.toSatisfy((status) => status >= 400)]);
    }
    const body = JSON.stringify({ topic, type: 'x', data: 'forged' });
    const client = await enter(aliceToken);
    const replies = [
      ...[await client.call({ type: 'subscribe', topic, since: { epoch: 'e', offset: 0 } })],
      ...[await client.call({ type: 'subscribe', subscriptions: [{ topic, last: 10 }] })],
      ...[await client.call({ type: 'history', topic }), await client.call({ type: 'presence', topic })],
      await client.call({ type: 'publish', topic, event: 'x', data: 'forged' }),
    ];
    for (const reply of replies) expect(JSON.stringify(reply)).toMatch(/"(error|code)":/);
    const opened = await raw();
    opened.send(upgradeRequest({ path: `/ws/${segment}?token=${aliceToken}` }));
    await opened.until((text) => /HTTP\/1.1 4|"error"/.test(text));
    const published = await gateway.post('/api/publish', body, asAlice);
    const batch = await gateway.post('/api/publish/batch', `[${body}]`, asAlice);
    const notified = await gateway.post(
      '/api/users/bob/notify',
      JSON.stringify({ type: 'x', data: 'forged' }),
      asAlice,
    );
    expect([published.status, notified.status]).toEqual([expect.toSatisfy((status) => status >= 400), 403]);
    expect(await batch.text()).toMatch(/"error"/);
    const kept = await fetch(`${gateway.url}/api/topics/user:bob/history`, { headers: byKey });
    const { messages } = (await kept.json()) as { messages: { data: unknown }[] };
    expect(messages.map(({ data }) => data)).toEqual([planted]);
    expect(JSON.stringify(client.frames)).not.toContain(planted);
    await client.close();
  });

  test('is not read by one whose name only looks the same: names are compared byte for byte', async () => {
    const [composed, decomposed, greek] = ['j\u00f6rg', 'jo\u0308rg', 'b\u03bfb'];
    await publish({ topic: `user:${composed}`, data: planted });
    for (const sub of [decomposed, greek, 'J\u00d6RG', 'BOB']) {
      const headers = { authorization: `Bearer ${await signToken({ sub })}` };
      for (const name of [composed, 'bob']) {
        const path = `/api/topics/${encodeURIComponent(`user:${name}`)}/history`;
        const response = await fetch(gateway.url + path, { headers });
        expect([sub, name, response.status]).toEqual([sub, name, 403]);
      }
    }
    const own = { authorization: `Bearer ${await signToken({ sub: composed })}` };
    const path = `/api/topics/${encodeURIComponent('user:j%C3%B6rg')}/history`;
    expect(await (await fetch(gateway.url + path, { headers: own })).text()).toContain(planted);
  });

  test('is read by its own user', async () => {
    const bob = { authorization: `Bearer ${await signToken({ sub: 'bob' })}` };
    const history = await fetch(`${gateway.url}/api/topics/user:b%6Fb/history`, { headers: bob });
    expect(await history.text()).toContain(planted);
  });
});

describe('text of a client', () => {
  const injected = 'x-injected';

  test.each([
    `GET /api/topics/a%0d%0a${injected}:1/history HTTP/1.1\r\nHost: a`,
    `GET /%0d%0a${injected}:%201 HTTP/1.1\r\nHost: a`,
    `GET /healthz HTTP/1.1\r\nHost: a\r\nOrigin: http://a%0d%0a${injected}: 1`,
    `OPTIONS /api/publish HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: a%0d%0a${injected}`,
    `GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ${injected}%0d%0a${injected}`,
  ])('makes no header of a response: %j', async (head) => {
    const socket = await raw();
    await socket.send(`${head}\r\nConnection: close\r\n\r\n`);
    await Promise.race([socket.end(), socket.until((text) => text.includes('\r\n\r\n'))]);
    const names = socket.text.split('\r\n\r\n')[0]!.split('\r\n').slice(1);
    expect(names.filter((line) => line.toLowerCase().startsWith(injected))).toEqual([]);
  });

  test.each([
    ...['/../package.json', '/%2e%2e/package.json', '/..%2fpackage.json', '/..%5cpackage.json'],
    ...['/dashboard.js/../../package.json', '/./dashboard.js', '//dashboard.js', '/dashboard.js%00.css'],
    ...['/api/topics/..%2f..%2fetc%2fpasswd/history', '/client.js/..;/healthz', '/%c0%ae%c0%ae/package.json'],
  ])('reaches no file: %s', async (path) => {
    const socket = await raw();
    await socket.send(`GET ${path} HTTP/1.1\r\nHost: a\r\nX-API-Key: ${apiKey}\r\n\r\n`);
    const { status, body } = await socket.answer();
    expect([400, 401, 404]).toContain(status);
    expect(body).toMatch(/^\{"error":/);
  });

  test('changes no prototype, and its names are names like others', async () => {
    const polluting = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}';
    const client = await enter(apiKey);
    const bodies = [
      `{"topic":"room:1","type":"x","data":${polluting}}`,
      `{"topic":"room:1","type":"x","data":1,"tags":{"__proto__":"polluted","a":"b"}}`,
      `{"__proto__":{"topic":"room:1","polluted":1},"type":"x","data":1}`,
      `{"topic":"__proto__","type":"x","data":1}`,
      `{"topic":"constructor:prototype","type":"toString","data":1}`,
      `{"topic":"job:__proto__","type":"x","key":"__proto__","data":1}`,
    ];
    const statuses: number[] = [];
    for (const body of bodies) {
      statuses.push((await gateway.post('/api/publish', body, byKey)).status);
      await gateway.post('/api/broadcast', body, byKey);
      await gateway.post('/api/users/__proto__/notify', body, byKey);
      client.socket.send(body.replace('{', '{"type":"publish","id":7,').replace('"type":"x"', '"event":"x"'));
    }
    expect(statuses).toEqual([200, 200, 400, 200, 200, 200]);
    await gateway.post('/api/tokens/revoke', polluting, byKey);
    await fetch(`${gateway.url}/api/topics/room:1/history?__proto__[polluted]=1&constructor=1`, {
      headers: byKey,
    });
    const filter = { op: 'eq', tag: '__proto__', value: 'polluted' };
    await client.call({ type: 'subscribe', topic: '__proto__', filter, since: { epoch: 'e', offset: 0 } });
    await client.call({ type: '__proto__', id: 9 });
    const latest = await fetch(`${gateway.url}/api/topics/job:__proto__/latest`, { headers: byKey });
    expect(JSON.stringify(await latest.json())).toContain('"key":"__proto__"');
    const mallory = await enter(await signToken({ sub: '__proto__', topics: [] }));
    expect(JSON.stringify(await mallory.until(({ type }) => type === 'subscribed'))).toContain(
      'user:__proto__',
    );
    const seen: Record<string, unknown> = {};
    expect([seen['polluted'], Object.keys(Object.prototype)]).toEqual([undefined, []]);
  });
});

describe('JSON that is nested deeply', () => {
  /** Deeper than a call stack, and than a function that calls itself for each level could go. */
  const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
  const nots = (levels: number) => `${'{"op":"not","filters":['.repeat(levels)}{}${']}'.repeat(levels)}`;

  /** With its beginning, for the title of a test. */
  const named = (text: string) => [text.slice(0, 40), text] as const;

  test.each(
    [
      `/sse?topic=a&filter=${deep(7000)}`,
      `/poll?topic=a&filter=${deep(7000)}`,
      `/poll?subscriptions=[{"topic":"a","filter":${deep(7000)}}]`,
    ].map(named),
  )('in a query is refused, before and after authentication: %s…', async (_, path) => {
    expect((await fetch(gateway.url + path)).status).toBe(401);
    expect((await fetch(gateway.url + path, { headers: byKey })).status).toBe(400);
  });

  const bodies: [string, string][] = [
    ...['/sse', '/poll'].flatMap((path): [string, string][] => [
      [path, `{"topic":"a","filter":${deep(100_000)}}`],
      [path, `{"topic":"a","filter":${nots(9000)}}`],
      [path, `{"subscriptions":${deep(100_000)}}`],
      [path, `{"subscriptions":[{"topic":"a","since":${deep(100_000)}}]}`],
    ]),
    ['/api/publish', `{"topic":"a","type":"b","data":1,"tags":${deep(100_000)}}`],
    ['/api/publish', `{"topic":"a","type":"b","data":${deep(30_000)}}`],
    ['/api/call', `{"method":"a","data":1,"x":${deep(100_000)}}`],
    ['/api/connections/x/acks', `{"acks":${deep(100_000)}}`],
    ['/api/tokens/revoke', `{"user":${deep(100_000)}}`],
    ['/api/v1/ws/broadcast', `{"data":1,"user_ids":${deep(100_000)}}`],
  ];
  test.each(bodies.map(([path, body]) => [path, ...named(body)] as const))(
    'in a body for %s is refused: %s…',
    async (path, _, body) => {
      expect((await gateway.post(path, body, byKey)).status).toBe(400);
    },
  );

  test.each([`"filter":${deep(200_000)}`, `"filter":${nots(15_000)}`, `"keys":${deep(200_000)}`].map(named))(
    'in a member of a frame is refused: %s…',
    async (_, member) => {
      const client = await enter(apiKey);
      client.socket.send(`{"type":"subscribe","id":5,"topic":"a",${member}}`);
      expect(await client.until(({ type }) => type === 'error')).toMatchObject({ code: 'invalid_json' });
    },
  );
});

describe('a filter that a stream gives once for many topics', () => {
  const value = 'v'.repeat(1000);
  const length = JSON.stringify({ op: 'eq', tag: 'a', value }).length;
  const most = Math.floor((256 * 1024) / length);

  test.each([
    [most, 200],
    [most + 1, 400],
  ])('is taken as far as all of them would fit into a body: %i topics, %i', async (count, status) => {
    const topic = Array.from({ length: count }, (_, i) => `room:${i}`);
    const body = JSON.stringify({ topic, filter: { op: 'eq', tag: 'a', value } });
    const stream = await gateway.post('/sse', body, byKey);
    await stream.body?.cancel();
    expect(stream.status).toBe(status);
  });
});

describe('frames', () => {
  test('without a mask are not commands', async () => {
    const socket = await raw();
    socket.send(upgradeRequest({ path: `/ws?token=${aliceToken}` }));
    await socket.until((text) => text.includes('"connected"'));
    const ping = Buffer.from('{"type":"ping","id":1,"padding":"unmasked frames are read as masked ones"}');
    await socket.send(clientFrame(1, ping, { masked: false }));
    await socket.send(clientFrame(8, Buffer.alloc(0), { masked: false }));
    await socket.send(Buffer.alloc(200));
    await Promise.race([socket.end(), socket.until((text) => text.includes('"error"'))]);
    expect(socket.text).not.toContain('pong');
  });
});

describe('many at once', () => {
  test('half-sent handshakes and bodies, 1000 of them, leave others served', async () => {
    const heads = [
      'GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websock',
      `POST /api/publish HTTP/1.1\r\nHost: a\r\nX-API-Key: ${apiKey}\r\nContent-Type: application/json\r\nContent-Length: 200\r\n\r\n{`,
    ];
    const slow = Array.from({ length: 1000 }, (_, i) => raw(`127.0.0.${2 + (i % 5)}`));
    await Promise.all((await Promise.all(slow)).map((socket, i) => socket.send(heads[i % 2]!)));
    const served = await enter(aliceToken, '', '127.0.0.9');
    await served.call({ type: 'subscribe', topic: 'room:slow' });
    expect(await publish({ topic: 'room:slow', data: 1 })).toBe(200);
    await served.count('room:slow', 1);
    expect(sockets.filter(({ ended }) => ended)).toEqual([]);
  });

  test('handshakes get in up to the cap, to the last place, and none more; the places come back', async () => {
    await expect.poll(() => gateway.metric('sluice_connections')).toBe(0);
    const tries = Array.from({ length: 200 }, async () => {
      const socket = await raw('127.0.0.7');
      socket.send(upgradeRequest({ path: `/ws?token=${apiKey}` }));
      const text = await socket.until((all) => all.includes('\r\n\r\n'));
      return Number(text.split(' ')[1]);
    });
    const statuses = await Promise.all(tries);
    expect([101, 429].map((wanted) => statuses.filter((status) => status === wanted).length)).toEqual([
      60, 140,
    ]);
    for (const socket of sockets.splice(0)) socket.kill();
    await expect.poll(() => gateway.metric('sluice_connections')).toBe(0);
  });

  test('subscriptions that come and go leave no view, no subscription and no topic', async () => {
    const client = await enter(aliceToken);
    const before = await Promise.all(held.map((name) => gateway.metric(name)));
    for (let round = 0; round < 30; round++) {
      const filter = { op: 'eq', tag: 'n', value: String(round) };
      const topics = Array.from({ length: 10 }, (_, i) => `room:${round}:${i}`);
      const subscriptions = [
        ...topics.map((topic) => ({ topic })),
        { topic: 'room:churn', filter },
        { topic: 'room:*' },
      ];
      await client.call({ type: 'subscribe', subscriptions });
      await client.call({ type: 'unsubscribe', topics: [...topics, 'room:churn', 'room:*'] });
    }
    await expect.poll(() => Promise.all(held.map((name) => gateway.metric(name)))).toEqual(before);
  });
});

const held = ['sluice_subscriptions', 'sluice_topics', 'sluice_views'];

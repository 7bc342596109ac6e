import { describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import type { StateChange } from '../../src/client/connection/connection.ts';
import { SluiceClient } from '../../src/client/index.ts';
import type { TestGateway } from '../support/gateway.ts';
import { type Frame, JsonClient } from '../support/json-client.ts';
import { ofTest, opened } from '../support/opened.ts';
import { ProtobufClient } from '../support/protobuf-client.ts';
import { RawSocket, upgradeRequest } from '../support/raw-socket.ts';
import { gatewayOfTest } from '../support/sdk.ts';
import { newFile } from '../support/temporary.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';

const byKey = { 'x-api-key': apiKey };

let gateway: TestGateway;

function connect(query = '', headers: Record<string, string> = {}): Promise<JsonClient> {
  return opened(JsonClient.open(gateway.wsUrl + query, [], { headers }));
}

type Grant = readonly [pattern: string, ...allow: string[]];

function token(user: string | undefined, ...grants: Grant[]): Promise<string> {
  const topics = grants.map(([pattern, ...allow]) => ({ pattern, allow }));
  return signToken({
    ...(user === undefined ? {} : { sub: user }),
    ...(grants.length === 0 ? {} : { topics }),
  });
}

async function get(path: string, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(gateway.url + path, { headers });
  await response.arrayBuffer();
  return response.status;
}

const publish = (topic: string) => gateway.post('/api/publish', JSON.stringify({ topic, data: 1 }), byKey);
const errorOf = (reply: Frame) => (reply['results'] as { error?: unknown }[])[0]?.error;

const reads = ['', '/history', '/latest'].map((part) => `/api/topics/payroll%3A2026${part}`);
/** Every command but `connect` and `ping`, about a topic that holds something. */
const commands = [
  { type: 'subscribe', topic: 'payroll:2026' },
  { type: 'subscribe', topic: '$all' },
  { type: 'subscribe', topic: '*' },
  { type: 'history', topic: 'payroll:2026' },
  { type: 'history', topic: '$all' },
  { type: 'presence', topic: 'payroll:2026' },
  { type: 'publish', topic: 'payroll:2026', event: 'x', data: 1 },
  { type: 'unsubscribe', topics: ['$all'] },
  { type: 'status' },
  { type: 'refresh', token: 'a.b.c' },
];

describe.each([
  ['an API key', { apiKeys: [apiKey] }],
  ['a token secret', { tokenSecret }],
  ['both', { apiKeys: [apiKey], tokenSecret }],
])('with %s configured, a client without a credential', (_, options) => {
  it('reads nothing over HTTP', async () => {
    gateway = await gatewayOfTest(options);
    for (const path of [...reads, '/api/topics', '/api/stats', '/api/topics/%24all/history']) {
      expect([path, await get(path)]).toEqual([path, 401]);
    }
    expect(await get('/api/topics/payroll%3A2026/history', { authorization: 'Bearer ' })).toBe(401);
  });

  it('is told `unauthorized` to every command, and closed with 4501', async () => {
    gateway = await gatewayOfTest(options);
    for (const command of commands) {
      const client = await connect();
      expect([command, await client.call(command)]).toMatchObject([command, { code: 'unauthorized' }]);
      expect(await client.end()).toEqual({ code: 4501, reason: 'unauthorized' });
      // The greeting, the error and the close frame: no `subscribed`, not even for `$all`.
      expect(client.frames.map(({ type }) => type)).toEqual(['connected', 'error', 'goingAway']);
    }
  });

  it('gets the same errors in protobuf', async () => {
    gateway = await gatewayOfTest(options);
    const client = await opened(ProtobufClient.open(gateway.wsUrl));
    expect(await client.call('history', { topic: 'payroll:2026' })).toMatchObject({ code: 'unauthorized' });
  });

  it('may ask whether it is alive, and joins nothing by the path', async () => {
    gateway = await gatewayOfTest(options);
    const client = await opened(JsonClient.open(`${gateway.wsUrl}/payroll%3A2026`));
    expect((await client.call({ type: 'ping' })).type).toBe('pong');
    expect(await client.call({ type: 'connect' })).toMatchObject({ code: 'unauthorized' });
    expect((await client.end()).code).toBe(4501);
    expect(client.frames.some(({ type }) => type === 'subscribed')).toBe(false);
  });
});

describe('a client that shows its credential in `connect`', () => {
  it('joins what is its own, and what the path named, then', async () => {
    gateway = await gatewayOfTest({ apiKeys: [apiKey], tokenSecret });
    await publish('rooms:1');
    const client = await opened(JsonClient.open(`${gateway.wsUrl}/rooms%3A1`));
    const reply = await client.call({
      type: 'connect',
      token: await token('alice', ['rooms:*', 'subscribe']),
    });
    expect(reply).toMatchObject({ type: 'connected', user: 'alice' });
    const joined = () =>
      client.frames.flatMap(({ results = [] }) => results as Frame[]).map(({ topic }) => topic);
    await client.until(() => joined().includes('rooms:1'));
    expect(joined()).toEqual(['$all', 'user:alice', 'rooms:1']);
  });

  it('may send commands right after it', async () => {
    gateway = await gatewayOfTest({ apiKeys: [apiKey], tokenSecret });
    await publish('rooms:1');
    const client = await connect();
    const good = await token('alice', ['rooms:*', 'subscribe']);
    const [greeting, page, subscribed] = await Promise.all([
      client.call({ type: 'connect', token: good }),
      client.call({ type: 'history', topic: 'rooms:1' }),
      client.call({ type: 'subscribe', topic: 'rooms:1' }),
    ]);
    expect([greeting, page, subscribed].map(({ type }) => type)).toEqual([
      'connected',
      'history',
      'subscribed',
    ]);
  });

  it('may show an API key there', async () => {
    gateway = await gatewayOfTest({ apiKeys: [apiKey] });
    await publish('payroll:2026');
    const client = await connect();
    expect((await client.call({ type: 'connect', token: apiKey })).type).toBe('connected');
    expect((await client.call({ type: 'history', topic: 'payroll:2026' })).type).toBe('history');
  });

  it.each([
    ['an unknown key', async () => 'no-such-key-at-all-here'],
    ['a forged token', async () => `${await token('alice')}x`],
  ])('is closed after %s', async (_, credential) => {
    gateway = await gatewayOfTest({ apiKeys: [apiKey], tokenSecret });
    const client = await connect();
    expect(await client.call({ type: 'connect', token: await credential() })).toMatchObject({
      code: 'unauthorized',
    });
    expect((await client.end()).code).toBe(4501);
  });

  it('is an authenticated one to the caps: it takes a place of its address then', async () => {
    gateway = await gatewayOfTest({ apiKeys: [apiKey], tokenSecret, connectionsMaxPerIp: 1 });
    const [first, second] = [await connect(), await connect()];
    expect((await first.call({ type: 'connect', token: await token('alice') })).type).toBe('connected');
    const refused = await second.call({ type: 'connect', token: await token('bob') });
    expect(refused).toMatchObject({ code: 'too_many_connections_from_ip', retry: true });
    await first.close();
    await expect.poll(() => gateway.metric('sluice_connections')).toBe(1);
    expect((await second.call({ type: 'connect', token: await token('bob') })).type).toBe('connected');
  });
});

describe('connections that have not authenticated', () => {
  const upgrade = async (query = '') => {
    const socket = await opened(RawSocket.open(gateway.port));
    await socket.send(upgradeRequest({ path: `/ws${query}` }));
    const text = await socket.until((all) => all.includes('\r\n\r\n'));
    return Number(text.split(' ')[1]);
  };

  it('have a cap of their own per address', async () => {
    gateway = await gatewayOfTest({ apiKeys: [apiKey], unauthenticatedMaxPerIp: 2, connectionsMaxPerIp: 1 });
    expect([await upgrade(), await upgrade(), await upgrade()]).toEqual([101, 101, 429]);
    expect(await upgrade(`?token=${apiKey}`)).toBe(101);
    expect(await upgrade(`?token=${apiKey}`)).toBe(429);
    expect(await gateway.metric('sluice_connections_unauthenticated')).toBe(2);
    expect(await gateway.metric('sluice_connections')).toBe(3);
  });

  it('are closed with 4501 when 5 s have passed', async () => {
    gateway = await gatewayOfTest({ apiKeys: [apiKey] });
    const client = await connect();
    expect(await client.end()).toEqual({ code: 4501, reason: 'unauthorized' });
  });
});

describe('anonymous access that is switched on', () => {
  const options = { apiKeys: [apiKey], tokenSecret, anonymous: true };

  it('is the same over every transport and route', async () => {
    gateway = await gatewayOfTest(options);
    await publish('payroll:2026');
    for (const path of reads) expect([path, await get(path)]).toEqual([path, 200]);
    expect(await get('/api/topics/%24all/history')).toBe(200);
    expect(await get('/api/topics/user%3Aalice/history')).toBe(403);
    expect(await get('/api/topics?prefix=payroll:')).toBe(200);
    for (const prefix of ['', 'u', 'user:', 'user:alice', '%24'])
      expect(await get(`/api/topics?prefix=${prefix}`)).toBe(403);
    const anonymous = await gateway.post('/api/publish', '{"topic":"payroll:2026"}');
    expect(anonymous.status).toBe(403);
    const client = await connect();
    expect((await client.call({ type: 'history', topic: 'payroll:2026' })).type).toBe('history');
    expect(errorOf(await client.call({ type: 'subscribe', topic: 'payroll:2026' }))).toBeUndefined();
    expect(errorOf(await client.call({ type: 'subscribe', topic: 'user:alice' }))).toMatchObject({
      code: 'forbidden',
    });
    expect(await client.call({ type: 'publish', topic: 'payroll:2026', event: 'x' })).toMatchObject({
      code: 'forbidden',
    });
  });
});

describe('a token', () => {
  async function check(query: string, headers: Record<string, string>, topic: string, may: boolean) {
    const client = await connect(query);
    const path = `/api/topics/${encodeURIComponent(topic)}`;
    const subscribed = errorOf(await client.call({ type: 'subscribe', topic }));
    const history = await client.call({ type: 'history', topic });
    const byPath = await opened(JsonClient.open(`${gateway.wsUrl}/${encodeURIComponent(topic)}${query}`));
    const opening = await byPath.until(
      ({ type, results = [] }) =>
        type === 'subscribed' &&
        (results as Frame[]).length === 1 &&
        (results as Frame[])[0]?.['topic'] === topic,
    );
    expect([
      topic,
      subscribed === undefined,
      history.type === 'history',
      errorOf(opening) === undefined,
      await Promise.all(['', '/history', '/latest'].map((part) => get(path + part, headers))),
    ]).toEqual([topic, may, may, may, may ? [200, 200, 200] : [403, 403, 403]]);
  }

  it('reads what its topics say, by every door, and nothing else', async () => {
    gateway = await gatewayOfTest({ apiKeys: [apiKey], tokenSecret });
    const grants = await token('alice', ['rooms:*', 'subscribe'], ['inbox', 'publish'], ['who', 'presence']);
    const headers = { authorization: `Bearer ${grants}` };
    await check(`?token=${grants}`, headers, 'rooms:1', true);
    for (const topic of ['payroll:2026', 'inbox', 'who', 'rooms', 'user:bob', '$probe', '$alles'])
      await check(`?token=${grants}`, headers, topic, false);
    for (const [prefix, status] of Object.entries({
      'rooms:': 200,
      'rooms:1': 200,
      rooms: 403,
      '': 403,
      inbox: 403,
    }))
      expect([prefix, await get(`/api/topics?prefix=${prefix}`, headers)]).toEqual([prefix, status]);
    const client = await connect(`?token=${grants}`);
    expect((await client.call({ type: 'presence', topic: 'who' })).type).toBe('presence');
    expect(await client.call({ type: 'presence', topic: 'rooms:1' })).toMatchObject({ code: 'forbidden' });
    for (const [topic, status] of Object.entries({ inbox: 200, 'rooms:1': 403 })) {
      const body = JSON.stringify({ topic, data: 1 });
      expect([topic, (await gateway.post('/api/publish', body, headers)).status]).toEqual([topic, status]);
      const published = await client.call({ type: 'publish', topic, event: 'e', data: 1 });
      expect([topic, published.type]).toEqual([topic, status === 200 ? 'published' : 'error']);
    }
  });

  it('neither administrates nor broadcasts, whatever its topics', async () => {
    gateway = await gatewayOfTest({ apiKeys: [apiKey], tokenSecret });
    const grants = await token('alice', ['*', 'subscribe', 'publish', 'presence']);
    const headers = { authorization: `Bearer ${grants}` };
    for (const path of ['/api/connections', '/api/topics', '/api/stats', '/metrics'])
      expect([path, await get(path, headers)]).toEqual([path, 403]);
    expect((await gateway.post('/api/broadcast', '{}', headers)).status).toBe(403);
  });

  it('without the claim `topics` reads its user’s topic and `$all`', async () => {
    gateway = await gatewayOfTest({ apiKeys: [apiKey], tokenSecret });
    for (const user of ['alice', undefined]) {
      const bare = await token(user);
      const headers = { authorization: `Bearer ${bare}` };
      for (const topic of ['payroll:2026', 'stats', 'server:web-01'])
        await check(`?token=${bare}`, headers, topic, false);
      expect(await get('/api/topics/%24all/history', headers)).toBe(200);
      expect(await get('/api/topics/user%3Aalice/history', headers)).toBe(user === undefined ? 403 : 200);
    }
  });

  it('reads what a namespace of the file opens to all, which needs a credential all the same', async () => {
    const file = newFile('sluice.yaml', 'namespaces: { public: { anonymous: { subscribe: true } } }\n');
    gateway = await gatewayOfTest({ apiKeys: [apiKey], tokenSecret }, file);
    const bare = await token('alice');
    await check(`?token=${bare}`, { authorization: `Bearer ${bare}` }, 'public:news', true);
    expect(await get('/api/topics/public%3Anews/history')).toBe(401);
    const client = await connect();
    expect(await client.call({ type: 'history', topic: 'public:news' })).toMatchObject({
      code: 'unauthorized',
    });
  });
});

describe('the credential of an upgrade', () => {
  it.each(['?token=', '?token=&token=', '?x=1&token='])('in a header is not hidden by %s', async (query) => {
    gateway = await gatewayOfTest({ apiKeys: [apiKey], tokenSecret });
    const client = await connect(query, { authorization: `Bearer ${await token('alice')}` });
    expect(client.frames[0]).toMatchObject({ user: 'alice' });
    const keyed = await connect(query, byKey);
    expect((await keyed.call({ type: 'history', topic: 'payroll:2026' })).type).toBe('history');
  });

  it('that is not a known key is refused with 401, to an upgrade and to a plain request', async () => {
    gateway = await gatewayOfTest({ apiKeys: [apiKey] });
    const wrong = { 'x-api-key': 'mistyped-key-of-some-length' };
    expect(await get('/ws', wrong)).toBe(401);
    expect(await get('/ws', byKey)).toBe(426);
    const socket = await opened(RawSocket.open(gateway.port));
    await socket.send(upgradeRequest({ headers: ['X-API-Key: mistyped-key-of-some-length'] }));
    const answer = await socket.answer();
    expect([answer.status, answer.body]).toEqual([401, expect.stringContaining('"unauthorized"')]);
    expect(answer.body).not.toContain('mistyped');
  });
});

describe('the SDK', () => {
  function client(options: ConstructorParameters<typeof SluiceClient>[1] = {}) {
    const made = new SluiceClient(gateway.wsUrl, { WebSocket, ...options });
    const states: StateChange[] = [];
    made.on('state', (change) => states.push(change));
    made.onError(() => undefined);
    ofTest(made);
    return { made, states };
  }

  it('gets in with a token, and with an API key', async () => {
    gateway = await gatewayOfTest({ apiKeys: [apiKey], tokenSecret });
    await publish('rooms:1');
    const { made } = client({ token: () => token('alice', ['rooms:*', 'subscribe']) });
    expect((await made.connect()).user).toBe('alice');
    expect((await made.history('rooms:1')).publications).toHaveLength(1);
    const { made: keyed } = client({ token: apiKey });
    await keyed.connect();
    expect((await keyed.history('rooms:1')).publications).toHaveLength(1);
  });

  it('without a token is closed, with the reason', async () => {
    gateway = await gatewayOfTest({ apiKeys: [apiKey], tokenSecret });
    const { made, states } = client();
    await expect(made.connect()).rejects.toMatchObject({ code: 'unauthorized' });
    expect(states.at(-1)).toMatchObject({ state: 'closed', error: { code: 'unauthorized' } });
  });
});

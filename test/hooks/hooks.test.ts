import { request } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { SluiceClient } from '../../src/client/index.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { HookServer, hookSecret, type Question } from '../support/hook-server.ts';
import { JsonClient } from '../support/json-client.ts';
import { opened } from '../support/opened.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';

const topics = [{ pattern: '*', allow: ['subscribe', 'publish'] }];
let hooks: HookServer;
let gateway: TestGateway;
let token: string;

beforeAll(async () => {
  hooks = await HookServer.start();
  const { url } = hooks;
  gateway = await startGateway({
    hookConnect: url,
    hookSubscribe: url,
    hookPublish: url,
    hookCall: url,
    hookSecret,
    hookHeaders: 'cookie',
    tokenSecret,
    apiKeys: [apiKey],
    // No question is given up here, however long the machine takes.
    hookTimeoutMs: 60_000,
    callTimeoutMs: 60_000,
  });
  token = await signToken({ sub: 'alice', topics });
});
beforeEach(() => hooks.reset());
afterAll(async () => {
  expect(hooks.forged).toBe(0);
  await gateway.close();
  hooks.close();
});

function asked(hook: string): Question[] {
  return hooks.questions.filter((question) => question.hook === hook);
}

/** A client, which is closed with the test. */
function entered(headers: Record<string, string> = { authorization: `Bearer ${token}` }) {
  return opened(JsonClient.open(gateway.wsUrl, [], { headers }));
}

async function publishAs(credential: string, body: object): Promise<Response> {
  return gateway.post('/api/publish', JSON.stringify(body), { authorization: `Bearer ${credential}` });
}

describe('the connect hook', () => {
  it('is told who asks, and names the user, topics and permissions of a client without a token', async () => {
    hooks.answer = ({ hook }) =>
      hook === 'connect'
        ? {
            allow: true,
            user: 'bob',
            topics: ['room:1'],
            permissions: [{ pattern: 'job:*', allow: ['subscribe'] }],
          }
        : { allow: true };
    const client = await entered({ cookie: 'session=1' });
    const own = await client.until((frame) => frame.type === 'subscribed');
    expect(client.frames[0]).toMatchObject({ user: 'bob' });
    expect((own['results'] as { topic: string }[]).map(({ topic }) => topic)).toEqual([
      '$all',
      'room:1',
      'user:bob',
    ]);
    expect(await client.call({ type: 'subscribe', topic: 'job:1' })).toMatchObject({ type: 'subscribed' });
    expect(await client.call({ type: 'subscribe', topic: 'stats' })).toMatchObject({
      results: [{ error: { code: 'forbidden' } }],
    });
    expect(asked('connect')).toMatchObject([{ reason: 'open', headers: { cookie: 'session=1' } }]);
  });

  it('refuses with a reason, which a page may read', async () => {
    hooks.answer = () => ({ allow: false, reason: 'banned\nfor good' });
    const headers = { authorization: `Bearer ${token}` };
    const client = new JsonClient(gateway.wsUrl, [], { headers });
    await client.end();
    const explained = await fetch(`${gateway.url}/ws`, { headers });
    expect(explained.status).toBe(403);
    expect(await explained.json()).toMatchObject({ error: { code: 'denied', message: 'banned for good' } });
    const stream = await fetch(`${gateway.url}/sse?topic=stats`, { headers });
    expect(stream.status).toBe(403);
    await stream.text();
    expect(gateway.metrics.hookDenialsTotal.value).toBeGreaterThan(2);
  });

  it('is asked when a token comes later, and when it is replaced; a key is not asked about', async () => {
    const client = await JsonClient.open(gateway.wsUrl);
    expect(asked('connect')).toHaveLength(0);
    expect(await client.call({ type: 'connect', token })).toMatchObject({ user: 'alice' });
    expect(await client.call({ type: 'refresh', token })).toMatchObject({ type: 'refreshed' });
    expect(asked('connect')).toMatchObject([
      { reason: 'authenticate', client: { user: 'alice', transport: 'websocket' } },
      { reason: 'refresh' },
    ]);
    await client.close();
    await (await entered({ authorization: `Bearer ${apiKey}` })).close();
    expect(asked('connect')).toHaveLength(2);
  });

  it.each([
    ['a WebSocket', '/ws'],
    ['a stream', '/sse?topic=stats'],
    ['a poll', '/poll?topic=stats'],
  ])('refuses a client whose token is revoked while the application thinks: %s', async (what, path) => {
    let release = (): void => undefined;
    const thinking = new Promise<void>((resolve) => {
      release = resolve;
    });
    hooks.answer = async () => {
      await thinking;
      return { allow: true, user: 'eve' };
    };
    const jti = `revoked-by-${what.replaceAll(' ', '-')}`;
    const authorization = `Bearer ${await signToken({ sub: 'alice', jti, topics })}`;
    const before = gateway.metrics.connectionsTotal.value;
    const asking =
      what === 'a WebSocket'
        ? new JsonClient(gateway.wsUrl, [], { headers: { authorization } }).end()
        : fetch(gateway.url + path, { headers: { authorization } }).then((response) => response.text());
    await expect.poll(() => asked('connect').length).toBe(1);
    const revoked = await gateway.post('/api/tokens/revoke', JSON.stringify({ jti }), {
      'x-api-key': apiKey,
    });
    expect(revoked.status).toBe(200);
    release();
    expect(JSON.stringify(await asking)).toMatch(/1006|token_revoked/);
    expect(gateway.metrics.connectionsTotal.value).toBe(before);
  });

  it('serves a client that polls by a cookie, and another cookie does not go on with its session', async () => {
    hooks.answer = ({ hook, headers }) =>
      hook === 'connect'
        ? { allow: true, user: (headers as { cookie: string }).cookie }
        : { allow: true, grant: true };
    const poll = async (cookie: string, cursor = '') => {
      const url = `${gateway.url}/poll?topic=stats&timeoutSeconds=0${cursor && `&cursor=${cursor}`}`;
      const response = await fetch(url, { headers: { cookie } });
      await response.text();
      return response.headers.get('sluice-cursor') ?? '';
    };
    const cursor = await poll('eve');
    await poll('eve', cursor);
    expect(asked('connect')).toHaveLength(1);
    await poll('mallory', cursor);
    expect(asked('connect')).toHaveLength(2);
  });
});

describe('the subscribe hook', () => {
  it('answers many subscriptions at once: grants, denies, and filters that the client cannot widen', async () => {
    hooks.answer = ({ hook, subscriptions }) =>
      hook === 'subscribe'
        ? {
            results: (subscriptions as { topic: string }[]).map(({ topic }) =>
              topic === 'secret'
                ? { allow: false, reason: 'no' }
                : { allow: true, filter: { op: 'eq', tag: 'tenant', value: 'a' } },
            ),
          }
        : { allow: true };
    const client = await entered();
    const wide = {
      op: 'or',
      filters: [
        { op: 'exists', tag: 'tenant' },
        { op: 'exists', tag: 'x' },
      ],
    };
    const reply = await client.call({
      type: 'subscribe',
      subscriptions: [{ topic: 'orders', filter: wide }, { topic: 'secret' }, { topic: 'not a topic' }],
    });
    expect(reply['results']).toMatchObject([
      { topic: 'orders', view: expect.any(Number) },
      { error: { code: 'denied', number: expect.any(Number), message: 'no', retry: false } },
      { error: { code: 'invalid_topic' } },
    ]);
    for (const tenant of ['b', 'a'])
      await publishAs(apiKey, { topic: 'orders', type: 't', data: tenant, tags: { tenant } });
    expect((await client.count('orders', 1)).map(({ data }) => data)).toEqual(['a']);
    const page = await client.call({ type: 'history', topic: 'orders' });
    expect((page['messages'] as { data: string }[]).map(({ data }) => data)).toEqual(['a']);
    for (const what of ['history', 'latest']) {
      const response = await fetch(`${gateway.url}/api/topics/orders/${what}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      expect(await response.text()).not.toContain('"b"');
    }
  });

  it('grants what the token does not permit, but never the topic of another user', async () => {
    hooks.answer = ({ hook }) => ({ allow: true, ...(hook === 'subscribe' && { grant: true }) });
    const bare = await signToken({ sub: 'carol' });
    const client = await entered({ authorization: `Bearer ${bare}` });
    const reply = await client.call({
      type: 'subscribe',
      subscriptions: [
        { topic: 'room:7' },
        { topic: 'user:alice' },
        { topic: 'user:*' },
        { topic: '$canary' },
      ],
    });
    const codes = (reply['results'] as { error?: { code: string } }[]).map(({ error }) => error?.code);
    expect(codes).toEqual([undefined, 'forbidden', 'forbidden', 'forbidden']);
    expect(await client.call({ type: 'refresh', token: bare })).toMatchObject({ type: 'refreshed' });
    expect((await client.call({ type: 'status' }))['subscriptions']).toContainEqual(
      expect.objectContaining({ topic: 'room:7' }),
    );
  });

  it('that is slow holds up the later changes of its own client, and no others; a client that goes leaves nothing', async () => {
    let release = (): void => undefined;
    const waiting = new Promise<void>((resolve) => {
      release = resolve;
    });
    hooks.answer = async ({ hook, client }) => {
      if (hook === 'subscribe' && client['user'] === 'alice') await waiting;
      return { allow: true };
    };
    const [slow, gone, other] = await Promise.all([
      entered(),
      entered(),
      entered({ authorization: `Bearer ${await signToken({ sub: 'dave', topics })}` }),
    ]);
    const late = slow.call({ type: 'subscribe', topic: 'stats' });
    const status = slow.call({ type: 'status' });
    gone.socket.send(JSON.stringify({ type: 'subscribe', id: 1, topic: 'gone' }));
    expect(await slow.call({ type: 'ping' })).toMatchObject({ type: 'pong' });
    expect(await other.call({ type: 'subscribe', topic: 'stats' })).toMatchObject({ type: 'subscribed' });
    await expect.poll(() => asked('subscribe').length).toBe(3);
    await gone.close();
    release();
    expect(await late).toMatchObject({ type: 'subscribed' });
    expect((await status)['subscriptions']).toHaveLength(3);
    const { subscriptions } = (await (
      await fetch(`${gateway.url}/api/stats`, { headers: { 'x-api-key': apiKey } })
    ).json()) as { subscriptions: { busiest: object } };
    expect(subscriptions.busiest).not.toHaveProperty('gone');
  });
});

describe('the publish hook', () => {
  it('sees what is published byte for byte, refuses with a reason, and a key publishes without it', async () => {
    let seen = '';
    hooks.answer = ({ hook, publications }, text) => {
      if (hook !== 'publish') return { allow: true };
      seen = text;
      const [{ topic }] = publications as [{ topic: string }];
      return topic === 'shut' ? { allow: false, reason: 'closed' } : { allow: true };
    };
    const client = await entered();
    expect(
      await client.call({ type: 'publish', topic: 'chat', event: 'said', data: 1, tags: { a: 'b' } }),
    ).toMatchObject({ type: 'published' });
    expect(await client.call({ type: 'publish', topic: 'shut', event: 'said' })).toMatchObject({
      type: 'error',
      code: 'denied',
      message: 'closed',
    });
    await client.close();
    const body = '{"topic":"chat","type":"said","data":{"n":1.0}}';
    const response = await gateway.post('/api/publish', body, { authorization: `Bearer ${token}` });
    expect(response.status).toBe(200);
    expect(seen).toContain('{"topic":"chat","type":"said","data":{"n":1.0}}');
    expect((await publishAs(token, { topic: 'shut', type: 't' })).status).toBe(403);
    expect((await publishAs(apiKey, { topic: 'shut', type: 't' })).status).toBe(200);
    const batch = await gateway.post(
      '/api/publish/batch',
      JSON.stringify(['chat', 'shut'].map((topic) => ({ topic, type: 't' }))),
      { authorization: `Bearer ${token}` },
    );
    expect(await batch.json()).toMatchObject({ results: expect.any(Array) });
  });

  it('that takes its time does not change the order of what one client publishes', async () => {
    let first = true;
    hooks.answer = async ({ hook }) => {
      if (hook !== 'publish' || !first) return { allow: true };
      first = false;
      await expect.poll(() => asked('publish').length).toBe(3);
      return { allow: true };
    };
    const client = await entered();
    const replies = await Promise.all(
      [1, 2, 3].map((data) => client.call({ type: 'publish', topic: 'ordered', event: 'n', data })),
    );
    expect(replies.map(({ offset }) => offset)).toEqual([1, 2, 3]);
  });
});

describe('a client that goes', () => {
  /** Requests of the gateway that were neither answered nor have ended. */
  let underWay = 0;

  function hang(): void {
    hooks.rude = (response) => {
      underWay++;
      response.once('close', () => underWay--);
    };
  }

  /** Asks in this way, goes, and expects that the application is left alone at once. */
  async function isForgotten(asks: number, go: () => unknown): Promise<void> {
    const late = gateway.metrics.hookErrorsTotal.value;
    await expect.poll(() => underWay).toBe(asks);
    await go();
    await expect.poll(() => underWay).toBe(0);
    await expect.poll(() => gateway.metric('sluice_hooks_waiting')).toBe(0);
    expect(gateway.metrics.hookErrorsTotal.value).toBe(late);
  }

  it.each([
    { type: 'subscribe', topic: 'stats' },
    { type: 'history', topic: 'stats' },
    { type: 'call', method: 'any' },
    { type: 'refresh' },
  ])('takes the question of its session along: $type', async (command) => {
    const client = await entered();
    hang();
    client.socket.send(JSON.stringify({ ...command, id: 1, token }));
    await isForgotten(1, () => client.socket.terminate());
  });

  it.each([
    ['a connection', '/ws', { upgrade: 'websocket', connection: 'Upgrade' }],
    ['whether it may connect', '/ws', {}],
    ['a stream', '/sse?topic=stats', {}],
    ['a poll', '/poll?topic=stats', {}],
    ['a history', '/api/topics/stats/history', {}],
    ['a call', '/api/call', { 'content-type': 'application/json' }],
  ] as const)('takes the question of its request along: %s', async (_, path, headers) => {
    hang();
    const method = path === '/api/call' ? 'POST' : 'GET';
    const asked = request(gateway.url + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        ...headers,
      },
    });
    asked.on('error', () => undefined);
    asked.end(method === 'POST' ? '{"method":"any"}' : undefined);
    await isForgotten(1, () => asked.destroy());
  });

  it('leaves its publication, which is committed all the same', async () => {
    let release = (): void => undefined;
    const waiting = new Promise<void>((resolve) => {
      release = resolve;
    });
    const client = await entered();
    hooks.answer = async () => {
      await waiting;
      return { allow: true };
    };
    client.socket.send(JSON.stringify({ type: 'publish', id: 1, topic: 'last-words', event: 'e', data: 1 }));
    await expect.poll(() => asked('publish').length).toBe(1);
    await client.close();
    release();
    const latest = () =>
      fetch(`${gateway.url}/api/topics/last-words/history`, { headers: { 'x-api-key': apiKey } });
    await expect.poll(async () => (await latest()).text()).toContain('"data":1');
  });
});

describe('a call', () => {
  const answer: HookServer['answer'] = ({ hook, method, data, dataBase64 }) => {
    if (hook !== 'call') return { allow: true };
    if (method === 'unknown') return 404;
    if (method === 'refused') return { allow: false, reason: 'not you' };
    if (method === 'large') return { data: 'x'.repeat(65_535) };
    if (dataBase64 !== undefined) return { dataBase64 };
    return `{"data":{"sum":1.0,"was":${JSON.stringify(data ?? null)}}}`;
  };

  it('is answered by the application, to both codecs, and byte for byte', async () => {
    hooks.answer = answer;
    const client = await entered();
    await client.call({ type: 'call', method: 'add', data: { a: 1 } });
    expect(client.texts.at(-1)).toContain('"data":{"sum":1.0,"was":{"a":1}}');
    for (const [method, code] of [
      ['unknown', 'not_found'],
      ['refused', 'denied'],
      ['large', 'application_unavailable'],
    ]) {
      expect(await client.call({ type: 'call', method })).toMatchObject({ type: 'error', code });
    }
    expect(await client.call({ type: 'call', method: 'add', data: 'x'.repeat(65_535) })).toMatchObject({
      type: 'error',
      code: 'payload_too_large',
    });
    await client.close();
    expect(asked('call')[0]).toMatchObject({ client: { user: 'alice', transport: 'websocket' } });
  });

  it('is given up after callTimeoutMs', async () => {
    hooks.rude = () => undefined;
    const impatient = await startGateway({ hookCall: hooks.url, hookSecret, callTimeoutMs: 100 });
    const client = await JsonClient.open(impatient.wsUrl);
    expect(await client.call({ type: 'call', method: 'slow' })).toMatchObject({
      type: 'error',
      code: 'application_unavailable',
    });
    await client.close();
    await impatient.close();
  });

  it.each(['websocket', 'sse'] as const)('is one line of the SDK, over %s', async (transport) => {
    hooks.answer = answer;
    const client = new SluiceClient(`${gateway.wsUrl}`, {
      WebSocket,
      token,
      transports: [transport],
    } as never);
    await client.connect();
    expect(await client.call('add', { b: 2 })).toEqual({ sum: 1, was: { b: 2 } });
    expect(await client.call('echo', new Uint8Array([1, 2]))).toEqual(new Uint8Array([1, 2]));
    await expect(client.call('refused')).rejects.toMatchObject({ code: 'denied', message: 'not you' });
  });

  it('comes over HTTP for clients without a socket', async () => {
    hooks.answer = answer;
    const call = (body: string, credential = token) =>
      gateway.post('/api/call', body, { authorization: `Bearer ${credential}` });
    expect(await (await call('{"method":"add","data":{"a":1.50}}')).text()).toBe(
      '{"data":{"sum":1.0,"was":{"a":1.5}}}',
    );
    expect((await call('{"method":"refused"}')).status).toBe(403);
    expect((await call('{"method":""}')).status).toBe(400);
    expect((await gateway.post('/api/call', '{"method":"add"}')).status).toBe(401);
  });
});

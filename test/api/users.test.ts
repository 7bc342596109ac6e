import { describe, expect, test } from 'vitest';
import type { ConnectionInfo } from '../../src/api/ports.ts';
import { signToken, tokenSecret } from '../support/tokens.ts';
import { nowMs, startApi } from './harness.ts';

type Api = Awaited<ReturnType<typeof startApi>>;

const post = ({ post: send }: Api, path: string, body: unknown, headers: Record<string, string> = {}) =>
  send(`/api/${path}`, typeof body === 'string' ? body : JSON.stringify(body), headers);

async function history({ get }: Api, topic: string) {
  const answer = await get(`/api/topics/${encodeURIComponent(topic)}/history`);
  const { messages } = answer.json<{ messages: { type: string; data: unknown }[] }>();
  return messages.map(({ type, data }) => [type, data]);
}

const device = (id: string, user: string): ConnectionInfo => ({
  id,
  user,
  transport: 'websocket',
  codec: 'json',
  address: '127.0.0.1',
  connectedAtMs: nowMs,
  lastSeenAtMs: nowMs,
  messageCount: 0,
  subscriptions: [],
});
const connections = [device('s1', 'alice'), device('s2', 'alice'), device('s3', 'bob')];

describe('POST /api/users/{user}/notify', () => {
  test('publishes to the topic of the user, and says how many connections get it now', async () => {
    const api = await startApi({ connections });
    const answer = await post(api, 'users/alice/notify', { data: { text: 'hi' } });
    expect([answer.status, answer.json()]).toEqual([
      200,
      { epoch: expect.any(String), offset: 1, connections: 2 },
    ]);
    expect((await post(api, 'users/carol/notify', { type: 'task', data: 1 })).json()).toMatchObject({
      offset: 1,
      connections: 0,
    });
    expect(await history(api, 'user:alice')).toEqual([['notification', { text: 'hi' }]]);
    expect(await history(api, 'user:carol')).toEqual([['task', 1]]);
  });

  test('returns the first offset for a repeated message id', async () => {
    const api = await startApi();
    const body = { data: 1, messageId: 'm' };
    await post(api, 'users/alice/notify', body);
    expect((await post(api, 'users/alice/notify', body)).json()).toMatchObject({
      offset: 1,
      duplicate: true,
    });
    expect(await history(api, 'user:alice')).toHaveLength(1);
  });

  test.each([
    ['alice@example.org', 'user:alice@example.org'],
    ['a/b', 'user:a/b'],
    ['ü', 'user:%C3%BC'],
    ['a%40b', 'user:a%2540b'],
    ['x'.repeat(195), `user:${'x'.repeat(195)}`],
  ])('takes the plain id %s', async (user, topic) => {
    const api = await startApi();
    const path = `users/${encodeURIComponent(user)}`;
    expect((await post(api, `${path}/notify`, { data: 1 })).status).toBe(200);
    expect((await post(api, `${path}/sync`, { data: 2, except: 's1' })).status).toBe(200);
    expect((await post(api, 'broadcast', { data: 3, users: [user] })).status).toBe(200);
    expect((await api.get(`/api/${path}/connections`)).status).toBe(200);
    expect(await history(api, topic)).toEqual([
      ['notification', 1],
      ['sync_update', 2],
      ['publication', 3],
    ]);
  });

  test.each(['x'.repeat(196), 'ü'.repeat(33), 'a/../b'])('refuses the user %s', async (user) => {
    const api = await startApi();
    const path = `users/${encodeURIComponent(user)}`;
    for (const answer of [
      await post(api, `${path}/notify`, { data: 1 }),
      await post(api, `${path}/sync`, { data: 1, except: 's1' }),
      await api.get(`/api/${path}/connections`),
    ])
      expect([answer.status, answer.json()]).toMatchObject([400, { error: { code: 'invalid_request' } }]);
  });

  test.each([{ topic: 'other' }, { users: ['bob'] }, { type: 1 }, '[]', '{"data":1,"data":2}', ''])(
    'refuses the body %j, and stores nothing',
    async (body) => {
      const api = await startApi();
      expect((await post(api, 'users/alice/notify', body)).status).toBe(400);
      expect(await history(api, 'user:alice')).toEqual([]);
    },
  );

  test('keeps the data byte for byte', async () => {
    const api = await startApi();
    await post(api, 'users/alice/notify', '{"data":{"price":1.0}}');
    expect((await api.get('/api/topics/user:alice/history')).text).toContain('{"price":1.0}');
  });
});

describe('POST /api/users/{user}/sync', () => {
  test('is for all devices but the one that is named', async () => {
    const api = await startApi({ connections });
    expect((await post(api, 'users/alice/sync', { data: 1, except: 's1' })).json()).toMatchObject({
      connections: 1,
    });
    const [stored] = (await api.broker.history('user:alice', undefined, 1)).publications;
    expect(stored).toMatchObject({ type: 'sync_update', except: 's1' });
  });

  test('needs the session of that device', async () => {
    const api = await startApi();
    for (const body of [{ data: 1 }, { data: 1, except: null }])
      expect((await post(api, 'users/alice/sync', body)).json()).toMatchObject({
        error: { code: 'invalid_request', details: [{ path: 'except' }] },
      });
    expect(await history(api, 'user:alice')).toEqual([]);
  });
});

test('GET /api/users/{user}/connections lists those of the user alone, page by page', async () => {
  const api = await startApi({ connections });
  type Page = { count: number; connections: { id: string }[]; next?: string };
  const first = (await api.get('/api/users/alice/connections?limit=1')).json<Page>();
  expect(first).toMatchObject({ count: 2, connections: [{ id: 's1', user: 'alice' }], next: 's1' });
  const second = (await api.get('/api/users/alice/connections?limit=1&after=s1')).json<Page>();
  expect([second.connections.map(({ id }) => id), second.next]).toEqual([['s2'], undefined]);
  expect((await api.get('/api/users/zoe/connections')).json()).toEqual({ count: 0, connections: [] });
});

test('a user is told and seen by keys, and by tokens as far as they permit', async () => {
  const api = await startApi({ keys: ['a-key-of-some-length'], tokenSecret, connections });
  const bearer = async (sub: string, ...topics: { pattern: string; allow: string[] }[]) => ({
    authorization: `Bearer ${await signToken({ sub, topics })}`,
  });
  const key = { 'x-api-key': 'a-key-of-some-length' };
  const may = await bearer('shop', { pattern: 'user:*', allow: ['publish', 'presence'] });
  const own = await bearer('alice');
  const notify = (headers?: Record<string, string>) => post(api, 'users/alice/notify', { data: 1 }, headers);
  expect((await notify(key)).status).toBe(200);
  expect((await notify(may)).status).toBe(200);
  expect((await notify(own)).status).toBe(403);
  expect((await notify()).status).toBe(401);
  const list = (headers?: Record<string, string>) => api.get('/api/users/alice/connections', headers);
  expect((await list(key)).status).toBe(200);
  expect((await list(own)).status).toBe(200);
  // Only the user sees its own devices, whatever another token is permitted.
  expect((await list(may)).status).toBe(403);
  expect((await list()).status).toBe(401);
});

describe('POST /api/broadcast to some', () => {
  test('gives each user and topic its own result, the users first', async () => {
    const api = await startApi();
    const body = {
      type: 'system_message',
      data: 1,
      users: ['alice', 'a/../b'],
      topics: ['room:1', '$all', 'x*'],
    };
    const { results } = (await post(api, 'broadcast', body)).json<{ results: unknown[] }>();
    expect(results).toEqual([
      { user: 'alice', topic: 'user:alice', epoch: expect.any(String), offset: 1 },
      { user: 'a/../b', error: expect.objectContaining({ code: 'invalid_request' }) },
      { topic: 'room:1', epoch: expect.any(String), offset: 1 },
      { topic: '$all', error: expect.objectContaining({ code: 'invalid_topic' }) },
      { topic: 'x*', error: expect.objectContaining({ code: 'invalid_topic' }) },
    ]);
    expect(await history(api, 'user:alice')).toEqual([['system_message', 1]]);
    expect(await history(api, 'room:1')).toEqual([['system_message', 1]]);
    expect(await history(api, '$all')).toEqual([]);
  });

  test('publishes once to what is named twice', async () => {
    const api = await startApi();
    const body = { data: 1, users: ['alice', 'alice'], topics: ['user:%61lice'] };
    const { results } = (await post(api, 'broadcast', body)).json<{ results: { offset: number }[] }>();
    expect(results.map(({ offset }) => offset)).toEqual([1, 1, 1]);
    expect(await history(api, 'user:alice')).toHaveLength(1);
  });

  test('reaches none where the lists are empty, and is refused where a list is missing by mistake', async () => {
    const api = await startApi();
    expect((await post(api, 'broadcast', { data: 1, users: [] })).json()).toEqual({ results: [] });
    for (const users of [null, 'alice', [1], ['']])
      expect((await post(api, 'broadcast', { data: 1, users })).status).toBe(400);
    expect(await history(api, '$all')).toEqual([]);
    expect((await post(api, 'broadcast', { data: 1 })).json()).toMatchObject({ offset: 1 });
    expect(await history(api, '$all')).toHaveLength(1);
  });

  test.each([
    [499, 200],
    [500, 200],
    [501, 400],
  ])('to %i users is answered %i', async (count, status) => {
    const api = await startApi({ ports: { publisher: { publish: (all) => all.map(() => stored) } } });
    const users = Array.from({ length: count - 1 }, (_, index) => `u${index}`);
    expect((await post(api, 'broadcast', { users, topics: ['t'] })).status).toBe(status);
  });
});

const stored = { ok: true, epoch: 'e', offset: 1, duplicate: false } as const;

test('the connections of a user are those of all nodes, which answer later', async () => {
  const api = await startApi({
    ports: {
      sessions: {
        count: () => 0,
        list: async () => ({ connections: connections.slice(0, 2), next: 's2' }),
        countOf: async () => 5,
        disconnect: async () => true,
        acknowledge: () => undefined,
      },
    },
  });
  expect((await api.get('/api/users/alice/connections?limit=2')).json()).toMatchObject({
    count: 5,
    connections: [{ id: 's1' }, { id: 's2' }],
    next: 's2',
  });
});

import fc from 'fast-check';
import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import type { ApiPorts } from '../../src/api/ports.ts';
import { WorkQueue } from '../../src/api/work-queue.ts';
import { startApi } from './harness.ts';

async function withPublications() {
  const api = await startApi();
  for (let i = 1; i <= 8; i++) await api.post('/api/publish', `{"topic":"BTC/USDT","data":${i}.0}`);
  await api.post(
    '/api/publish',
    '{"topic":"server:web-01","key":"cpu","data":{ "v":1.50 },"tags":{"level":"info"}}',
  );
  await api.post('/api/publish', '{"topic":"server:web-01","key":"mem","dataBase64":"AAE="}');
  return api;
}

test('the list is paged by name', async () => {
  const { get } = await withPublications();
  const first = (await get('/api/topics?limit=1')).json<{ topics: { topic: string }[]; next: string }>();
  expect(first).toMatchObject({
    topics: [{ topic: 'BTC/USDT', offset: 8, publications: 5 }],
    next: 'BTC/USDT',
  });
  const second = (await get(`/api/topics?limit=1&after=${encodeURIComponent(first.next)}`)).json();
  expect(second).toMatchObject({ topics: [{ topic: 'server:web-01', mode: 'state', keys: 2 }] });
  expect(second).not.toHaveProperty('next');
  expect((await get('/api/topics?prefix=server:')).json()).toMatchObject({
    topics: [{ topic: 'server:web-01' }],
  });
});

test('the list has Sluice’s own topics only when the prefix asks for them', async () => {
  const { get, post, broker } = await withPublications();
  await broker.probe();
  await post('/api/broadcast', '{}');
  const names = async (query: string) =>
    (await get(`/api/topics${query}`))
      .json<{ topics: { topic: string }[] }>()
      .topics.map(({ topic }) => topic);
  expect(await names('')).toEqual(['BTC/USDT', 'server:web-01']);
  expect(await names('?prefix=$')).toEqual(['$all', '$probe']);
  expect(await names('?prefix=$a')).toEqual(['$all']);
  expect(await names('?prefix=$&after=$all')).toEqual(['$probe']);
});

test('a topic is one percent-encoded segment of the path', async () => {
  const { get } = await withPublications();
  expect((await get('/api/topics/BTC%2FUSDT')).json()).toMatchObject({
    topic: 'BTC/USDT',
    offset: 8,
    lastPublishedAt: '2026-01-01T00:00:00.000Z',
  });
  expect((await get('/api/topics/BTC/USDT')).status).toBe(404);
  expect((await get('/api/topics/%FF')).json()).toMatchObject({ error: { code: 'invalid_request' } });
  expect((await get('/api/topics/a%20b')).json()).toMatchObject({ error: { code: 'invalid_topic' } });
});

test('an unknown topic is answered, and stored nowhere', async () => {
  const { get, broker } = await startApi();
  expect((await get('/api/topics/nothing')).json()).toMatchObject({ epoch: '', offset: 0 });
  expect((await get('/api/topics/nothing/history')).json()).toEqual({
    topic: 'nothing',
    epoch: '',
    after: 0,
    upto: 0,
    more: false,
    messages: [],
  });
  expect((await get('/api/topics/nothing/latest')).json()).toMatchObject({
    epoch: '',
    offset: 0,
    messages: [],
  });
  expect(broker.size).toBe(0);
});

test('a topic whose content is gone still tells where it is', async () => {
  const { get, broker, post, advance } = await withPublications();
  const { epoch } = (await get('/api/topics/BTC%2FUSDT')).json<{ epoch: string }>();
  advance(3_600_001);
  broker.sweep();
  expect(broker.find('BTC/USDT')).toBeUndefined();
  expect((await get('/api/topics/BTC%2FUSDT')).json()).toEqual({
    topic: 'BTC/USDT',
    epoch,
    offset: 8,
    mode: 'stream',
    publications: 0,
    bytes: 0,
    subscribers: 0,
  });
  expect((await get('/api/topics/BTC%2FUSDT/history?after=3')).json()).toEqual({
    topic: 'BTC/USDT',
    epoch,
    after: 8,
    upto: 8,
    more: false,
    missing: { after: 3, upto: 8 },
    messages: [],
  });
  expect((await get('/api/topics/BTC%2FUSDT/history?after=8')).json()).not.toHaveProperty('missing');
  expect((await get('/api/topics/BTC%2FUSDT/latest')).json()).toEqual({
    topic: 'BTC/USDT',
    epoch,
    offset: 8,
    messages: [],
  });
  expect((await post('/api/publish', '{"topic":"BTC/USDT"}')).json()).toMatchObject({ epoch, offset: 9 });
});

test('history comes in pages, names what is gone, and keeps the bytes of the payloads', async () => {
  const { get } = await withPublications();
  const path = '/api/topics/BTC%2FUSDT/history';
  const first = await get(`${path}?after=1&limit=2`);
  expect(first.json()).toMatchObject({ after: 3, upto: 5, more: true, missing: { after: 1, upto: 3 } });
  expect(first.text).toContain('"data":4.0,');
  const second = await get(`${path}?after=5&limit=3`);
  expect(second.json()).toMatchObject({
    after: 5,
    upto: 8,
    more: false,
    messages: [{ offset: 6 }, { offset: 7 }, {}],
  });
  expect(second.json()).not.toHaveProperty('missing');
  expect((await get(path)).json()).toMatchObject({ after: 3, upto: 8 });
});

test('latest returns the newest value of every key, or of one', async () => {
  const { get } = await withPublications();
  const path = '/api/topics/server%3Aweb-01/latest';
  const all = await get(path);
  expect(all.text).toContain('"data":{ "v":1.50 },');
  expect(all.json()).toMatchObject({
    topic: 'server:web-01',
    offset: 2,
    messages: [
      { key: 'cpu', tags: { level: 'info' }, offset: 1 },
      { key: 'mem', dataBase64: 'AAE=', offset: 2 },
    ],
  });
  expect((await get(`${path}?key=mem`)).json<{ messages: unknown[] }>().messages).toHaveLength(1);
  const page = (await get(`${path}?limit=1`)).json<{ next: string }>();
  expect(page.next).toBe('cpu');
  expect((await get(`${path}?limit=1&after=cpu`)).json()).toMatchObject({ messages: [{ key: 'mem' }] });
});

test('latest returns the value without a key first, and once', async () => {
  const { get, post } = await startApi();
  for (const key of ['a', undefined])
    await post('/api/publish', JSON.stringify({ topic: 'server:web-02', key, data: key ?? 'none' }));
  const path = '/api/topics/server%3Aweb-02/latest';
  const dataOf = async (query: string) =>
    (await get(path + query)).json<{ messages: { data: string }[] }>().messages.map(({ data }) => data);
  expect(await dataOf('')).toEqual(['none', 'a']);
  expect(await dataOf('?limit=1')).toEqual(['none']);
  expect(await dataOf('?after=a')).toEqual([]);
});

test.each([
  ['limit=1', 200],
  ['limit=1000', 200],
  ['limit=0', 400],
  ['limit=1001', 400],
  ['limit=', 400],
  ['limit=ten', 400],
  ['limit=1.5', 400],
  ['after=9007199254740991', 200],
  ['after=9007199254740992', 400],
  ['after=-1', 400],
  ['after=1&after=2', 400],
  ['afterr=1', 400],
  ['__proto__=1', 400],
])('the query ?%s has the status %d', async (query, status) => {
  const { get } = await startApi();
  expect((await get(`/api/topics/t/history?${query}`)).status).toBe(status);
});

describe('a page of', () => {
  const tokenSecret = 'a secret of thirty-two bytes or more';
  const key = 'a key of this test';

  /** Each piece of work takes a millisecond, and turns come by hand. */
  async function withTurns(ports: Partial<ApiPorts> = {}) {
    const next: (() => void)[] = [];
    const spent: [account: string, ms: number][] = [];
    let workMs = 0;
    const turns = new WorkQueue({
      nextTurn: (callback) => next.push(callback),
      workMs: () => workMs++,
      spent: (account, ms) => spent.push([account, ms]),
      waitMs: () => 0,
      refused: () => undefined,
    });
    const api = await startApi({ keys: [key], tokenSecret, ports: { turns, ...ports } });
    const byKey = { 'x-api-key': key };
    for (const topic of ['a', 'b', 'server:1'])
      await api.post('/api/publish', JSON.stringify({ topic, key: 'k', data: 1 }), byKey);
    const topics = [{ pattern: '*', allow: ['subscribe'] }];
    const token = await new SignJWT({ sub: 'alice', topics })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(tokenSecret));
    return { ...api, next, spent, byKey, byToken: { authorization: `Bearer ${token}` } };
  }

  const readElsewhere: Partial<ApiPorts['topics']> = {
    list: async () => ({ topics: [], next: undefined }),
    latest: async () => ({ epoch: '', offset: 0, publications: [] }),
  };

  test.each([
    ['/api/topics?prefix=a', 1, 2],
    ['/api/topics/a/history', 1, 2],
    ['/api/topics/server:1/latest', 1, 2],
    ['/api/connections', 1, 0],
    ['/api/users/alice/connections', 1, 2],
    ['/api/stats', 1, 0],
    ['/api/tokens/revocations', 1, 0],
    ['/metrics', 1, 0],
    ['/api/topics?prefix=a', 2, 2, readElsewhere],
    ['/api/topics/server:1/latest', 2, 2, readElsewhere],
  ] as const)(
    '%s is made in %i turns of its own, which its client pays and a key does not',
    async (path, pieces, clients, topics?: Partial<ApiPorts['topics']>) => {
      const { get, next, spent, byKey, byToken } = await withTurns(
        topics && { topics: topics as ApiPorts['topics'] },
      );
      const settled = { count: 0 };
      const asked = Array.from({ length: 3 }, (_, i) => (i < clients ? byToken : byKey)).map((headers) =>
        get(path, headers).finally(() => {
          settled.count++;
        }),
      );
      for (let turn = 1; turn <= 3 * pieces; turn++) {
        await expect.poll(() => next.length).toBe(1);
        expect(settled.count).toBeLessThan(3);
        next.shift()?.();
      }
      expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200]);
      expect([next, spent]).toEqual([[], Array.from({ length: clients * pieces }, () => ['user alice', 1])]);
    },
  );

  test('topics begins where it should, whatever their number and order', async () => {
    const name = fc.stringMatching(/^[a-c]{1,3}$/);
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(name),
        fc.integer({ min: 1, max: 5 }),
        name,
        async (names, limit, after) => {
          const { get, post } = await startApi();
          for (const topic of names) await post('/api/publish', JSON.stringify({ topic, data: 1 }));
          const page = await get(`/api/topics?limit=${limit}&after=${after}`);
          const { topics, next } = page.json<{ topics: { topic: string }[]; next?: string }>();
          const expected = names.filter((each) => each > after).sort();
          expect(topics.map(({ topic }) => topic)).toEqual(expected.slice(0, limit));
          expect(next).toBe(expected.length > limit ? expected[limit - 1] : undefined);
        },
      ),
      { numRuns: 50 },
    );
  });
});

import { describe, expect, test } from 'vitest';
import { SluiceError } from '../../src/errors.ts';
import { startApi } from './harness.ts';

describe('matching', () => {
  test.each([
    '/nothing',
    '/api',
    '/api/',
    '/api/publish/',
    '/API/publish',
    '//api/publish',
    '/api/topics//history',
    '/api/topics/{topic}/nothing',
    '/constructor',
    '',
  ])('%j is no route', async (path) => {
    const { get, counts } = await startApi();
    const answer = await get(path);
    expect([answer.status, answer.json()]).toMatchObject([404, { error: { code: 'not_found' } }]);
    expect(counts.of('httpRequestsTotal', 'unmatched', '404')).toBe(1);
  });

  test.each([
    ['GET', '/api/publish', 'POST, OPTIONS'],
    ['DELETE', '/api/topics/t', 'GET, HEAD, OPTIONS'],
    ['HEAD', '/api/publish', 'POST, OPTIONS'],
    ['constructor', '/healthz', 'GET, HEAD, OPTIONS'],
  ])('%s %s is refused with what is allowed', async (method, path, allow) => {
    const { ask } = await startApi();
    const answer = await ask(method, path);
    expect([answer.status, answer.headers['allow']]).toEqual([405, allow]);
    expect(answer.json()).toMatchObject({ error: { code: 'method_not_allowed' } });
  });

  test('HEAD is GET without the body', async () => {
    const { ask, get } = await startApi();
    for (const path of ['/healthz', '/api/stats', '/api/topics/t', '/metrics', '/openapi.json']) {
      const head = await ask('HEAD', path);
      const { status, headers } = await get(path);
      expect(head).toMatchObject({ status, headers, omitBody: true });
    }
  });

  test('requests are counted by the pattern of their route', async () => {
    const { get, post, counts } = await startApi();
    await get('/api/topics/some-topic/history');
    await post('/api/publish', '{}');
    expect(counts.of('httpRequestsTotal')).toBe(2);
    expect(counts.of('httpRequestsTotal', '/api/topics/{topic}/history', '200')).toBe(1);
    expect(counts.of('httpRequestsTotal', '/api/publish', '400')).toBe(1);
    const [seconds, ...more] = counts.values('httpRequestSeconds', '/api/topics/{topic}/history');
    expect([seconds! >= 0, more]).toEqual([true, []]);
  });
});

describe('content types', () => {
  const keys = ['a-key-of-some-length'];
  const ask = async (type: string, path = '/api/publish') => {
    const { post } = await startApi({ keys });
    return post(path, '{"topic":"t"}', { 'content-type': type, 'x-api-key': keys[0]! });
  };

  test.each(['application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON'])(
    '%s is taken',
    async (type) => {
      expect((await ask(type)).status).toBe(200);
    },
  );

  test.each(['text/plain', '', 'application/x-ndjson', 'application/jsonp', 'text/plain;application/json'])(
    '%j is refused',
    async (type) => {
      const answer = await ask(type);
      expect([answer.status, answer.json()]).toMatchObject([
        415,
        { error: { code: 'unsupported_media_type' } },
      ]);
    },
  );

  test.each(['gzip', 'br', 'x-gzip'])(
    'a body that is sent as %s is refused by that name',
    async (encoding) => {
      const { post } = await startApi({ keys });
      const headers = {
        'content-type': 'application/json',
        'content-encoding': encoding,
        'x-api-key': keys[0]!,
      };
      const answer = await post('/api/publish', '{"topic":"t"}', headers);
      expect([answer.status, answer.json()]).toMatchObject([
        415,
        { error: { code: 'unsupported_media_type', message: expect.stringContaining(encoding) } },
      ]);
    },
  );

  test('a byte order mark at the beginning is no part of the body', async () => {
    const { post } = await startApi({ keys });
    const ask = (path: string, type: string, body: string) =>
      post(path, body, { 'content-type': type, 'x-api-key': keys[0]! });
    expect((await ask('/api/publish', 'application/json', '\ufeff{"topic":"t"}')).status).toBe(200);
    const lines = '\ufeff{"topic":"t"}\n{"topic":"t"}';
    const batch = await ask('/api/publish/batch', 'application/x-ndjson', lines);
    expect(JSON.stringify(batch.json())).not.toContain('error');
    expect(batch.json()).toMatchObject({ results: [{ offset: 2 }, { offset: 3 }] });
  });

  test('a batch may be lines', async () => {
    expect((await ask('application/x-ndjson', '/api/publish/batch')).status).toBe(200);
  });
});

describe('limits', () => {
  const keys = ['a-key-of-some-length'];
  const key = { 'x-api-key': keys[0]! };

  /** An API whose limits note who was charged, and refuse nothing. */
  async function charges() {
    const taken: string[] = [];
    const spent: string[] = [];
    const limits = {
      take: (payer: string) => {
        taken.push(payer);
        return 0;
      },
      spent: (payer: string) => void spent.push(payer),
    };
    return { ...(await startApi({ keys, limits })), taken, spent };
  }

  test('charge an address for requests without a credential, also for those that are refused', async () => {
    const { get, post, taken, spent } = await charges();
    await get('/nothing');
    await post('/api/publish', '{}');
    expect([taken, spent]).toEqual([['address 127.0.0.1', 'address 127.0.0.1'], []]);
    await get('/openapi.json');
    expect(spent).toEqual(['address 127.0.0.1']);
  });

  test.each([
    ['a request', { 'content-type': 'application/json' }],
    ['a body of another type', { 'content-type': 'text/plain' }],
    ['a compressed body', { 'content-type': 'application/json', 'content-encoding': 'gzip' }],
  ])('take nothing for %s with an API key', async (_, headers) => {
    const { post, taken, spent } = await charges();
    await post('/api/publish', '{"topic":"t"}', { ...key, ...headers });
    expect([taken, spent]).toEqual([[], []]);
  });

  test.each(['/healthz', '/readyz'])('take nothing for the probe %s', async (path) => {
    const { get, taken, spent } = await charges();
    expect((await get(path)).status).toBe(200);
    expect([taken, spent]).toEqual([[], []]);
  });
});

describe('errors', () => {
  const failing = (error: unknown) => {
    const publish = () => {
      throw error;
    };
    return startApi({ ports: { publisher: { publish } } });
  };

  test('an error of the gateway itself is logged, and not told', async () => {
    for (const error of [
      new Error('secret path'),
      new SluiceError('internal', 'secret path'),
      'secret path',
    ]) {
      const { post, logged } = await failing(error);
      const answer = await post('/api/publish', '{"topic":"t"}');
      const { request } = (answer.json() as { error: { details: { request: string } } }).error.details;
      expect([answer.status, answer.json()]).toMatchObject([500, { error: { code: 'internal' } }]);
      expect(answer.text).not.toContain('secret');
      expect(logged).toEqual([{ err: error, route: '/api/publish', request }]);
      expect(request).toBe('id-of-the-request');
    }
  });

  test('a rejected promise is logged too, and not told', async () => {
    const { post, logged } = await startApi({
      ports: { publisher: { publish: () => Promise.reject(new Error('secret path')) } },
    });
    expect((await post('/api/publish', '{"topic":"t"}')).status).toBe(500);
    expect(logged).toHaveLength(1);
  });

  test.each([
    [1, '1'],
    [1000, '1'],
    [1001, '2'],
  ])('a wait of %d ms is told in seconds: %s', async (retryAfterMs, seconds) => {
    const { post } = await failing(new SluiceError('rate_limited', undefined, { retryAfterMs }));
    const answer = await post('/api/publish', '{"topic":"t"}');
    expect([answer.status, answer.headers['retry-after']]).toEqual([429, seconds]);
  });

  test('no response of the API may be kept by a cache', async () => {
    const { get } = await startApi();
    expect((await get('/api/stats')).headers['cache-control']).toBe('no-store');
    expect((await get('/nothing')).headers['cache-control']).toBe('no-store');
  });
});

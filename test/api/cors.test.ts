import { expect, test } from 'vitest';
import { startApi } from './harness.ts';

const dash = 'https://dash.example.org';
const preflight = (origin: string) => ({
  origin,
  'access-control-request-method': 'POST',
  'access-control-request-headers': 'content-type',
});

test('a listed page may read responses, also errors', async () => {
  const { get } = await startApi({ origins: [dash] });
  for (const path of ['/healthz', '/nothing', '/api/stats']) {
    const { headers } = await get(path, { origin: dash });
    expect(headers).toMatchObject({ 'access-control-allow-origin': dash, vary: 'Origin' });
    expect(headers).not.toHaveProperty('access-control-allow-credentials');
  }
});

test('another page may not read responses, and `Vary` tells caches so', async () => {
  const { get } = await startApi({ origins: [dash] });
  const { headers } = await get('/healthz', { origin: 'https://evil.example' });
  expect(headers).not.toHaveProperty('access-control-allow-origin');
  expect(headers['vary']).toBe('Origin');
  expect((await get('/healthz')).headers['vary']).toBe('Origin');
});

test('the star echoes the origin', async () => {
  const { get } = await startApi({ origins: ['*'] });
  expect((await get('/healthz', { origin: dash })).headers['access-control-allow-origin']).toBe(dash);
});

test('a preflight of a listed page is answered with methods and headers', async () => {
  const { ask } = await startApi({ origins: [dash], keys: ['a-key-of-some-length'] });
  const answer = await ask('OPTIONS', '/api/publish', { headers: preflight(dash), peerAddress: '192.0.2.1' });
  expect(answer.status).toBe(200);
  expect(answer.headers).toMatchObject({
    'access-control-allow-origin': dash,
    'access-control-allow-methods': 'POST, OPTIONS',
    'access-control-allow-headers': 'Authorization, Content-Type, If-None-Match, X-API-Key',
    vary: 'Origin',
  });
});

test('a listed page may send the headers of tracing libraries, and no forwarding headers', async () => {
  const { ask } = await startApi({ origins: [dash] });
  const allowed = async (headers: string) => {
    const answer = await ask('OPTIONS', '/api/publish', {
      headers: { ...preflight(dash), 'access-control-request-headers': headers },
    });
    return answer.headers['access-control-allow-headers']?.split(', ').slice(4);
  };
  expect(await allowed('content-type,traceparent, Tracestate,baggage,sentry-trace')).toEqual([
    'traceparent',
    'tracestate',
    'baggage',
    'sentry-trace',
  ]);
  expect(await allowed('x-forwarded-for,x-real-ip,forwarded,b3')).toEqual(['b3']);
  expect(await allowed('a b,"x",x\u00e9,,c')).toEqual(['c']);
  const many = Array.from({ length: 33 }, (_, i) => `x-${i}`);
  expect(await allowed(many.join())).toEqual(many.slice(0, 32));
});

test('a preflight of another page is refused', async () => {
  for (const origins of [[], [dash]]) {
    const { ask } = await startApi({ origins });
    for (const origin of ['https://evil.example', 'null']) {
      const answer = await ask('OPTIONS', '/api/publish', { headers: preflight(origin) });
      expect([answer.status, answer.json()]).toMatchObject([403, { error: { code: 'origin_not_allowed' } }]);
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
    }
  }
});

test('plain OPTIONS tells the methods', async () => {
  const { ask } = await startApi();
  const answer = await ask('OPTIONS', '/healthz');
  expect([answer.status, answer.headers['allow']]).toEqual([200, 'GET, HEAD, OPTIONS']);
  expect((await ask('OPTIONS', '/nothing')).status).toBe(404);
});

import { describe, expect, test } from 'vitest';
import { signToken, tokenSecret } from '../support/tokens.ts';
import { nowMs, startApi } from './harness.ts';

const connection = (id: string) => ({
  id,
  user: 'alice',
  transport: 'websocket',
  codec: 'json',
  address: '127.0.0.1',
  connectedAtMs: nowMs,
  lastSeenAtMs: nowMs + 1000,
  messageCount: 3,
  subscriptions: [{ topic: 'stats', view: 1 }],
});

test('connections are listed in pages, with their times', async () => {
  const { get } = await startApi({ connections: [connection('b'), connection('a')] });
  expect((await get('/api/connections?limit=1')).json()).toEqual({
    count: 2,
    connections: [
      {
        id: 'a',
        user: 'alice',
        transport: 'websocket',
        codec: 'json',
        address: '127.0.0.1',
        connectedAt: '2026-01-01T00:00:00.000Z',
        lastSeenAt: '2026-01-01T00:00:01.000Z',
        messageCount: 3,
        subscriptions: [{ topic: 'stats', view: 1 }],
      },
    ],
    next: 'a',
  });
});

test('a connection can be ended once', async () => {
  const { post } = await startApi({ connections: [connection('a')] });
  expect((await post('/api/connections/a/disconnect', '')).json()).toEqual({ id: 'a', disconnected: true });
  const again = await post('/api/connections/a/disconnect', '{}');
  expect([again.status, again.json()]).toMatchObject([404, { error: { code: 'not_found' } }]);
});

test.each([
  ['{"reason":"x"}', 'invalid_request'],
  ['{', 'invalid_json'],
  ['[]', 'invalid_json'],
])('disconnect does not pass over %s', async (body, code) => {
  const { post, ports } = await startApi({ connections: [connection('a')] });
  expect((await post('/api/connections/a/disconnect', body)).json()).toMatchObject({ error: { code } });
  expect(ports.sessions.count()).toBe(1);
});

test.each([
  ['a key', async () => 'a-key-of-thirty-two-characters-or-more', 200],
  ['a key that is limited to topics', async () => 'another-key-of-thirty-two-characters', 403],
  ['the token of a user', () => signToken({ sub: 'alice' }), 200],
  ['a token of no user', () => signToken({}), 404],
  ['no credential', async () => '', 404],
])('acknowledging with %s has an effect only if it may be of the user', async (_, credential, status) => {
  const { post } = await startApi({
    connections: [connection('a')],
    anonymous: true,
    tokenSecret,
    keys: [
      'a-key-of-thirty-two-characters-or-more',
      { key: 'another-key-of-thirty-two-characters', topics: ['a'] },
    ],
  });
  const authorization = await credential();
  const headers: Record<string, string> =
    authorization === '' ? {} : { authorization: `Bearer ${authorization}` };
  const answer = await post('/api/connections/a/acks', '{"acks":[{"view":1,"offset":2}]}', headers);
  expect(answer.status).toBe(status);
});

test('stats are those of the gateway, with its version and its times as instants', async () => {
  const { get } = await startApi();
  expect((await get('/api/stats')).json()).toMatchObject({
    version: '1.2.3',
    state: 'running',
    startedAt: '2026-01-01T00:00:00.000Z',
    connections: { active: 0, total: 7 },
    hottest: { 'BTC/USDT': 12.5 },
    subscriptions: { busiest: { 'BTC/USDT': 1 } },
  });
});

test('metrics are text of the Prometheus format', async () => {
  const { get } = await startApi();
  const answer = await get('/metrics');
  expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4');
  expect(answer.text).toBe('sluice_topics 1\n');
});

describe('probes', () => {
  test('are open to everybody', async () => {
    const { ask } = await startApi({ keys: ['a-key-of-some-length'] });
    const options = {
      peerAddress: '192.0.2.1',
      headers: { host: 'gateway.example', 'x-forwarded-for': '192.0.2.9' },
    };
    expect((await ask('GET', '/healthz', options)).json()).toEqual({ status: 'ok' });
    expect((await ask('GET', '/readyz', options)).json()).toEqual({
      status: 'ready',
      checks: { engine: 'ok' },
    });
  });

  test('a gateway that is not ready says why, and for now', async () => {
    const { get } = await startApi({
      readiness: { ok: false, checks: { engine: 'no publication came back' } },
    });
    const answer = await get('/readyz');
    expect([answer.status, answer.json()]).toEqual([
      503,
      {
        error: {
          code: 'engine_unavailable',
          message: 'the gateway is not ready',
          details: { checks: { engine: 'no publication came back' } },
        },
      },
    ]);
  });
});

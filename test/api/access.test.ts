import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import { routes } from '../../src/api/routes.ts';
import { startApi } from './harness.ts';

const key = 'a-key-of-some-length';
const tokenSecret = 'a secret of thirty-two bytes or more';
const guarded = routes.filter(({ access }) => access !== 'none' && access !== 'metrics');
const example = (path: string) => path.replace(/\{\w+\}/, 'x');

describe('without keys', () => {
  test('every route of the API but the probes is for this machine only', async () => {
    expect(guarded.length).toBeGreaterThan(8);
    const { ask, counts } = await startApi();
    for (const { method, path } of guarded) {
      const headers = { 'content-type': 'application/json' };
      const answer = await ask(method, example(path), { headers, body: '{}', peerAddress: '192.0.2.1' });
      expect([path, answer.status, answer.json()]).toMatchObject([
        path,
        403,
        { error: { code: 'local_only' } },
      ]);
    }
    expect(counts.labels('authFailuresTotal')).toHaveLength(guarded.length);
  });

  test('a refused body is not asked for', async () => {
    const { ask } = await startApi();
    const answer = await ask('POST', '/api/publish', { peerAddress: '192.0.2.1', body: 'x'.repeat(100_000) });
    expect(answer.status).toBe(403);
  });
});

describe('with keys', () => {
  test('every route of the API needs one', async () => {
    const { ask } = await startApi({ keys: [key] });
    for (const { method, path } of guarded) {
      const headers = { 'content-type': 'application/json' };
      const without = await ask(method, example(path), { headers, body: '{}' });
      expect([path, without.status, without.headers['www-authenticate']]).toEqual([path, 401, 'Bearer']);
      const withKey = { headers: { ...headers, 'x-api-key': key }, body: '{}', peerAddress: '192.0.2.1' };
      expect([401, 403]).not.toContain((await ask(method, example(path), withKey)).status);
    }
  });

  test('metrics are for keys and this machine', async () => {
    const { get, ask } = await startApi({ keys: [key] });
    expect((await get('/metrics')).status).toBe(200);
    expect((await ask('GET', '/metrics', { peerAddress: '192.0.2.1' })).status).toBe(401);
    const headers = { authorization: `Bearer ${key}` };
    expect((await ask('GET', '/metrics', { peerAddress: '192.0.2.1', headers })).status).toBe(200);
  });

  test('a key that may read reads Sluice’s own topics too, and one that may not doesn’t', async () => {
    const { get, post, broker } = await startApi({
      keys: [
        { key, scopes: ['read'] },
        { key: `${key}-2`, scopes: ['publish'] },
      ],
    });
    await broker.probe();
    await post('/api/broadcast', '{"data":"to all"}', { 'x-api-key': `${key}-2` });
    for (const own of ['%24all', '%24probe']) {
      const path = `/api/topics/${own}/history`;
      const read = await get(path, { 'x-api-key': key });
      expect([own, read.status, read.json<{ upto: number }>().upto]).toEqual([own, 200, 1]);
      expect((await get(path, { 'x-api-key': `${key}-2` })).status).toBe(403);
    }
  });
});

describe('with tokens', () => {
  async function bearer(...topics: { pattern: string; allow: string[] }[]) {
    const token = await new SignJWT({ sub: 'alice', topics })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(tokenSecret));
    return { authorization: `Bearer ${token}` };
  }

  test('a token publishes and reads what it permits', async () => {
    const { get, post, counts } = await startApi({ keys: [key], tokenSecret });
    const headers = await bearer(
      { pattern: 'job:*', allow: ['publish'] },
      { pattern: 'stats', allow: ['subscribe'] },
    );
    expect((await post('/api/publish', '{"topic":"job:1"}', headers)).status).toBe(200);
    expect((await post('/api/publish', '{"topic":"stats"}', headers)).status).toBe(403);
    expect((await get('/api/topics/stats/history', headers)).status).toBe(200);
    expect((await get('/api/topics/job%3A1/history', headers)).status).toBe(403);
    expect((await get('/api/topics/user%3Abob/latest', headers)).status).toBe(403);
    expect((await get('/api/topics/user%3Aalice/latest', headers)).status).toBe(200);
    expect(counts.labels('authFailuresTotal')).toEqual(['forbidden', 'forbidden', 'forbidden']);
  });

  test('a token reads what was broadcast, and no other topic of Sluice’s own', async () => {
    const { get, post } = await startApi({ keys: [key], tokenSecret });
    const headers = await bearer({ pattern: '*', allow: ['subscribe', 'publish'] });
    await post('/api/broadcast', '{"data":"to all"}', { 'x-api-key': key });
    for (const part of ['', '/history', '/latest']) {
      expect((await get(`/api/topics/%24all${part}`, headers)).status).toBe(200);
      for (const own of ['%24probe', '%24canary', '%24alles', '%24']) {
        const answer = await get(`/api/topics/${own}${part}`, headers);
        expect([own, answer.status === 200]).toEqual([own, false]);
      }
    }
    expect((await get('/api/topics/%24all/history', headers)).text).toContain('"data":"to all"');
    const publishing = await post('/api/publish', '{"topic":"$all"}', headers);
    expect(publishing.json()).toMatchObject({ error: { code: 'invalid_topic' } });
  });

  test('a token is checked for each item of a batch', async () => {
    const { post } = await startApi({ tokenSecret });
    const headers = await bearer({ pattern: 'job:*', allow: ['publish'] });
    const answer = await post('/api/publish/batch', '[{"topic":"job:1"},{"topic":"stats"}]', headers);
    expect(answer.json()).toMatchObject({ results: [{ offset: 1 }, { error: { code: 'forbidden' } }] });
  });

  test('a token neither administrates nor broadcasts', async () => {
    const { get, post } = await startApi({ tokenSecret });
    const headers = await bearer({ pattern: '*', allow: ['publish', 'subscribe', 'presence'] });
    expect((await get('/api/connections', headers)).status).toBe(403);
    expect((await get('/api/topics', headers)).status).toBe(403);
    expect((await post('/api/broadcast', '{}', headers)).status).toBe(403);
  });

  test('a bad token is refused, before the body is read or after it', async () => {
    const { post, broker } = await startApi({ tokenSecret });
    const answer = await post('/api/publish', '{"topic":"t"}', { authorization: 'Bearer a.b.c' });
    expect([answer.status, answer.headers['www-authenticate'], broker.size]).toEqual([401, 'Bearer', 0]);
  });
});

import { describe, expect, test } from 'vitest';
import { startApi } from './harness.ts';

const assets = {
  'dashboard.html': Buffer.from('<!doctype html>'),
  'dashboard.js': Buffer.from('js'),
  'dashboard.css': Buffer.from('css'),
  'client.js': Buffer.from('client'),
};

describe('pages', () => {
  test.each([
    ['/', 'text/html; charset=utf-8', '<!doctype html>'],
    ['/dashboard.js', 'text/javascript; charset=utf-8', 'js'],
    ['/dashboard.css', 'text/css; charset=utf-8', 'css'],
    ['/client.js', 'text/javascript; charset=utf-8', 'client'],
  ])('%s is %s', async (path, type, text) => {
    const { get } = await startApi({ assets });
    const answer = await get(path);
    expect([answer.status, answer.text]).toEqual([200, text]);
    expect(answer.headers).toMatchObject({ 'content-type': type, 'x-content-type-options': 'nosniff' });
  });

  test('the page may run the gateway’s scripts only, and may not be framed', async () => {
    const { get } = await startApi({ assets });
    const policy = (await get('/')).headers['content-security-policy'];
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("connect-src 'self' ws: wss:");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('script-src');
    expect(policy).not.toContain('unsafe-eval');
  });

  test('the same bytes are not sent twice', async () => {
    const { get } = await startApi({ assets });
    const { etag } = (await get('/client.js')).headers;
    for (const value of [etag!, `W/${etag}`, `"other", ${etag}`, '*']) {
      const again = await get('/client.js', { 'if-none-match': value });
      expect([again.status, again.omitBody, again.headers['etag']]).toEqual([304, true, etag]);
    }
    expect((await get('/client.js', { 'if-none-match': '"other"' })).status).toBe(200);
    expect((await get('/dashboard.js', { 'if-none-match': etag! })).status).toBe(200);
  });

  test('a query, as it busts caches, is passed over', async () => {
    const { get } = await startApi({ assets });
    expect((await get('/client.js?v=1')).status).toBe(200);
  });

  test('what was not built is not there', async () => {
    const { get } = await startApi();
    const answer = await get('/');
    expect([answer.status, answer.json()]).toMatchObject([404, { error: { code: 'not_found' } }]);
  });
});

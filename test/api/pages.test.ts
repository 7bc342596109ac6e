import { gunzipSync } from 'node:zlib';
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

  test('the page runs and shows files of the gateway only, and may not be framed', async () => {
    const { get } = await startApi({ assets });
    const { headers } = await get('/');
    expect(headers).toMatchObject({
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    });
    const policy = headers['content-security-policy']?.split('; ');
    expect(policy).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
      ]),
    );
    expect(policy?.join()).not.toMatch(/unsafe|\*|https?:/);
  });

  test('the SDK is for pages of other origins, too', async () => {
    const { get } = await startApi({ assets });
    expect((await get('/client.js')).headers).not.toHaveProperty('cross-origin-resource-policy');
  });

  test('a browser that has the file gets 304', async () => {
    const { get } = await startApi({ assets });
    const { etag } = (await get('/client.js')).headers;
    for (const value of [etag!, `W/${etag}`, `"other", ${etag}`, '*']) {
      const again = await get('/client.js', { 'if-none-match': value });
      expect([again.status, again.omitBody, again.headers['etag']]).toEqual([304, true, etag]);
    }
    expect((await get('/client.js', { 'if-none-match': '"other"' })).status).toBe(200);
    expect((await get('/dashboard.js', { 'if-none-match': etag! })).status).toBe(200);
  });

  test('a query that busts caches is ignored', async () => {
    const { get } = await startApi({ assets });
    expect((await get('/client.js?v=1')).status).toBe(200);
  });

  test('a file that was not built is not found', async () => {
    const { get } = await startApi();
    const answer = await get('/');
    expect([answer.status, answer.json()]).toMatchObject([404, { error: { code: 'not_found' } }]);
  });
});

describe('compression', () => {
  test.each([
    ['gzip, deflate, br', true],
    ['br;q=1.0, gzip;q=0.8', true],
    ['GZIP', true],
    ['', false],
    ['br', false],
    ['gzip;q=0', false],
    ['gzip;q=0.0, br', false],
    ['not-gzip', false],
  ])('a client that takes %j gets gzip: %s', async (encodings, isGzip) => {
    const { get } = await startApi({ assets });
    const { status, headers, body } = await get('/client.js', { 'accept-encoding': encodings });
    expect([status, headers['content-encoding'], headers['vary']]).toEqual([
      200,
      isGzip ? 'gzip' : undefined,
      expect.stringContaining('accept-encoding'),
    ]);
    const plain = await get('/client.js');
    const text = isGzip ? gunzipSync(body as Uint8Array) : body;
    expect(Buffer.from(text as Uint8Array).equals(Buffer.from(plain.body as Uint8Array))).toBe(true);
    expect(headers['etag'] === plain.headers['etag']).toBe(!isGzip);
    const again = await get('/client.js', {
      'accept-encoding': encodings,
      'if-none-match': headers['etag'] as string,
    });
    expect(again.status).toBe(304);
  });
});

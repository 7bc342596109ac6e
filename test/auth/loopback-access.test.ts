import { describe, expect, test } from 'vitest';
import { isLoopbackHost, loopbackAccess } from '../../src/auth/loopback-access.ts';
import { originPolicy } from '../../src/auth/origins.ts';
import { mediaType } from '../../src/protocol/media-type.ts';
import { request } from './request.ts';

const json = { mediaTypes: ['application/json'] };
const noOrigins = originPolicy([]);

const guard = (origins = noOrigins) =>
  loopbackAccess({ origins, isProxy: (address) => address === '127.0.0.9', suspected: () => undefined });

function post(headers: Record<string, string> = {}, peerAddress = '127.0.0.1', origins = noOrigins) {
  const all = { 'content-type': 'application/json', ...headers };
  return guard(origins)(request({ method: 'POST', peerAddress, headers: all }), json);
}

function get(headers: Record<string, string> = {}, peerAddress = '127.0.0.1') {
  return guard()(request({ peerAddress, headers }), json);
}

test('a local program may post and get', () => {
  expect(post()).toBeUndefined();
  expect(get()).toBeUndefined();
  expect(get({}, '0000:0000:0000:0000:0000:0000:0000:0001')).toBeUndefined();
});

test('the gateway’s own page may', () => {
  expect(post({ origin: 'http://localhost:8080', 'sec-fetch-site': 'same-origin' })).toBeUndefined();
  expect(get({ 'sec-fetch-site': 'none' })).toBeUndefined();
});

test('another machine may not', () => {
  expect(post({}, '192.168.1.7')).toContain('another machine');
  expect(get({}, '192.168.1.7')).toContain('another machine');
});

describe('Host', () => {
  test.each([
    'localhost',
    'LOCALHOST:1',
    '127.0.0.1',
    '127.0.0.2:8080',
    '127.255.255.255',
    '[::1]',
    '[::1]:8080',
  ])('%s is this machine', (host) => {
    expect(isLoopbackHost(host)).toBe(true);
  });

  test.each([
    '',
    'evil.example',
    'evil.example:8080',
    'localhost.evil.example',
    'localhost.',
    '127.0.0.1.evil.example',
    '127.0.0.1.nip.io',
    '127.0.0.256',
    '127.1',
    '127',
    '0.0.0.0:8080',
    '[::]:8080',
    '[::ffff:127.0.0.1]',
    '192.168.1.7:8080',
    'user@localhost',
    'localhost:',
    'localhost:808080',
    'localhost, evil.example',
  ])('%j may be anything', (host) => {
    expect(isLoopbackHost(host)).toBe(false);
  });

  test('a rebound name is refused, for reading too, although its origin is its own', () => {
    const rebound = { host: 'evil.example:8080', origin: 'http://evil.example:8080' };
    expect(post(rebound)).toContain('Host');
    expect(get({ host: 'evil.example:8080', 'sec-fetch-site': 'same-origin' })).toContain('Host');
  });
});

test('a request from a trusted proxy does not count as one of this machine', () => {
  expect(post({}, '127.0.0.9')).toContain('trusted proxy');
  expect(get({}, '127.0.0.8')).toBeUndefined();
});

test('nginx that sends only the two headers for WebSockets is recognized by them', () => {
  for (const connection of ['upgrade', 'Upgrade', 'keep-alive, Upgrade']) {
    expect(post({ connection })).toContain('Connection: upgrade');
    expect(get({ connection })).toContain('Connection: upgrade');
    expect(get({ connection, upgrade: 'websocket' })).toBeUndefined();
  }
  for (const connection of ['keep-alive', 'close', 'upgraded']) expect(get({ connection })).toBeUndefined();
});

describe('signs of a proxy', () => {
  function signs(...headers: Record<string, string>[]): string[] {
    const told: string[] = [];
    const local = loopbackAccess({
      origins: noOrigins,
      isProxy: (address) => address === '127.0.0.9',
      suspected: (sign) => told.push(sign),
    });
    for (const each of headers) local(request({ headers: each }), json);
    return told;
  }

  test.each<[string, Record<string, string>]>([
    ['header via', { via: '1.1 proxy' }],
    ['header x-forwarded-for', { 'x-forwarded-for': '192.0.2.1' }],
    ['Connection: upgrade', { connection: 'upgrade' }],
    ['Connection: close', { connection: 'close' }],
    ['dash.example.org', { origin: 'https://dash.example.org' }],
    ['dash.example.org', { referer: 'https://dash.example.org/', 'sec-fetch-site': 'same-origin' }],
  ])('are told: %s', (sign, headers) => {
    expect(signs(headers)).toEqual([expect.stringContaining(sign)]);
  });

  test('are told once', () => {
    expect(signs({}, { via: '1.1 a' }, { via: '1.1 b' }, { connection: 'close' })).toHaveLength(1);
  });

  test('are none where nothing is local anyway, or nothing is strange', () => {
    expect(
      signs(
        {},
        { connection: 'keep-alive' },
        { connection: 'Upgrade', upgrade: 'websocket' },
        { host: 'dash.example.org', via: '1.1 proxy' },
        { origin: 'http://localhost:8080' },
        { referer: 'http://127.0.0.1:8080/' },
        { origin: 'null' },
      ),
    ).toEqual([]);
  });
});

test.each([
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-anything-new',
  'x-varnish',
  'x-amz-cf-id',
  'x-arr-log-id',
  'x-auth-request-user',
  'x-nf-client-connection-ip',
  'x-ssl-client-cert',
  'wl-proxy-client-ip',
  'do-connecting-ip',
  'x-remote-user',
  'x-scheme',
  'x-real-ip',
  'cf-connecting-ip',
  'true-client-ip',
])('a request with %s came through a proxy', (name) => {
  expect(post({ [name]: '127.0.0.1' })).toContain(name);
  expect(get({ [name]: '' })).toContain(name);
});

describe('web pages', () => {
  test.each([
    'https://evil.example',
    'null',
    'http://localhost:5173',
    'http://127.0.0.1:8080',
    'https://localhost',
    'file://',
  ])('a page of %s is foreign', (origin) => {
    expect(post({ origin })).toContain('another origin');
    expect(get({ origin })).toContain('another origin');
  });

  test.each(['cross-site', 'same-site', 'something-new'])('fetch metadata %s is foreign', (site) => {
    expect(get({ 'sec-fetch-site': site })).toContain('sec-fetch-site');
  });

  test('a page of another host is foreign by its referer, where it sends no origin', () => {
    const headers = { referer: 'https://dash.example.org/x?y', 'sec-fetch-site': 'same-origin' };
    expect(get(headers)).toBe('a page of dash.example.org sent it (header referer)');
    expect(get({ ...headers, referer: 'http://localhost:8080/' })).toBeUndefined();
  });

  test('a page that is listed by name is trusted, a star trusts none', () => {
    const headers = { origin: 'http://localhost:5173', 'sec-fetch-site': 'same-site' };
    expect(post(headers, '127.0.0.1', originPolicy(['http://localhost:5173']))).toBeUndefined();
    expect(post(headers, '127.0.0.1', originPolicy(['*']))).toContain('another origin');
  });
});

describe('bodies', () => {
  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', ''])(
    '%j is what a form can send',
    (type) => {
      expect(post({ 'content-type': type, 'content-length': '2' })).toContain('Content-Type');
      expect(post({ 'content-type': type, 'transfer-encoding': 'chunked' })).toContain('Content-Type');
    },
  );

  test('a program needs no type where it sends none, and a browser does', () => {
    for (const agent of ['curl/7.88.1', 'python-requests/2.31.0', ''])
      for (const length of ['', '0'])
        expect(post({ 'content-type': '', 'content-length': length, 'user-agent': agent })).toBeUndefined();
    expect(post({ 'content-type': '', 'user-agent': 'Mozilla/5.0 (X11)' })).toContain('Content-Type');
    expect(post({ 'content-type': 'text/plain', 'user-agent': 'curl/7.88.1' })).toContain('Content-Type');
  });

  test('a type that only begins or ends like it is another one', () => {
    expect(post({ 'content-type': 'text/plain; application/json' })).toContain('Content-Type');
    expect(post({ 'content-type': 'application/jsonx' })).toContain('Content-Type');
  });

  test('parameters and case do not matter', () => {
    expect(post({ 'content-type': 'Application/JSON; charset=utf-8' })).toBeUndefined();
    expect(mediaType(' Application/JSON ;charset=utf-8')).toBe('application/json');
  });
});

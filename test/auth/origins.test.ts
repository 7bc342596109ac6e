import { describe, expect, test } from 'vitest';
import { isSameOrigin, originPolicy } from '../../src/auth/origins.ts';

const at = (host: string) => ({ host, isSecure: false });

describe('without a list', () => {
  const policy = originPolicy([]);

  test.each([
    ['', 'gateway.example', true],
    ['https://gateway.example', 'gateway.example', true],
    ['http://gateway.example:8080', 'gateway.example:8080', true],
    ['http://gateway.example', 'gateway.example:80', true],
    ['https://gateway.example', 'GATEWAY.example:443', true],
    ['https://gateway.example', 'gateway.example:80', false],
    ['http://gateway.example:8080', 'gateway.example:8081', false],
    ['https://evil.example', 'gateway.example', false],
    ['https://gateway.example.evil.example', 'gateway.example', false],
    ['null', 'gateway.example', false],
    ['null', 'null', false],
    ['file://', '', false],
    ['not an origin', 'gateway.example', false],
    ['https://gateway.example', '', false],
    ['https://gateway.example', 'user@gateway.example', false],
  ])('origin %j to host %j: %j', (origin, host, allowed) => {
    expect(policy.allows(origin, at(host))).toBe(allowed);
  });

  test('lists nothing', () => {
    expect(policy.hasList).toBe(false);
    expect(policy.lists('https://gateway.example')).toBe(false);
  });
});

describe('with a list', () => {
  const policy = originPolicy(['https://dash.example.org']);

  test('allows what is listed, to the letter', () => {
    expect(policy.allows('https://dash.example.org', at('gateway.example'))).toBe(true);
    expect(policy.allows('http://dash.example.org', at('gateway.example'))).toBe(false);
    expect(policy.allows('https://dash.example.org:8443', at('gateway.example'))).toBe(false);
  });

  test('still allows the gateway’s own pages', () => {
    expect(policy.allows('https://gateway.example', at('gateway.example'))).toBe(true);
  });
});

test('the star allows every page, also nameless ones, but trusts none by name', () => {
  const policy = originPolicy(['*']);
  expect(policy.allows('https://any.example', at('gateway.example'))).toBe(true);
  expect(policy.allows('null', at('gateway.example'))).toBe(true);
  expect(policy.names('https://any.example')).toBe(false);
  expect(policy.names('*')).toBe(false);
  expect(policy.lists('')).toBe(false);
});

describe('origins that are no web pages’', () => {
  const listed = ['capacitor://localhost', 'chrome-extension://abc', 'null', 'file://'];
  const policy = originPolicy(listed);

  test('are compared verbatim', () => {
    for (const origin of listed)
      expect([origin, policy.allows(origin, at('localhost'))]).toEqual([origin, true]);
    for (const origin of [
      'capacitor://localhost2',
      'http://capacitor',
      'Capacitor://localhost',
      'tauri://localhost',
    ])
      expect([origin, policy.allows(origin, at('localhost'))]).toEqual([origin, false]);
  });

  test('are never the gateway’s own', () => {
    expect(originPolicy([]).allows('capacitor://localhost', at('localhost'))).toBe(false);
  });

  test('may be trusted by name, but for null, which every page can have', () => {
    expect(listed.map((origin) => policy.names(origin))).toEqual([true, true, false, true]);
  });
});

test('IPv6 hosts are compared like others', () => {
  expect(isSameOrigin('http://[::1]:8080', at('[::1]:8080'))).toBe(true);
  expect(isSameOrigin('http://[::1]:8080', at('[::2]:8080'))).toBe(false);
});

test('a site that is asked by TLS has no pages of http', () => {
  const site = { host: 'gateway.example', isSecure: true };
  expect(isSameOrigin('https://gateway.example', site)).toBe(true);
  expect(isSameOrigin('https://GATEWAY.example:443', { ...site, host: 'gateway.example:443' })).toBe(true);
  for (const origin of ['http://gateway.example', 'http://gateway.example:80', 'http://gateway.example:443'])
    expect([origin, isSameOrigin(origin, site)]).toEqual([origin, false]);
  expect(originPolicy(['http://gateway.example']).allows('http://gateway.example', site)).toBe(true);
});

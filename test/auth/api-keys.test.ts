import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { apiKeys, presentedCredential } from '../../src/auth/api-keys.ts';
import { request } from './request.ts';

const first = 'first-key-0123456789';
const second = 'second-key-0123456789';

test('each of several keys is known by its own name', () => {
  const keys = apiKeys([{ key: first }, { name: 'backend', key: second, scopes: ['publish'] }]);
  expect(keys.size).toBe(2);
  expect(keys.identify(first)).toMatchObject({ apiKey: 'key-1', scopes: ['publish', 'read', 'admin'] });
  expect(keys.identify(second)).toMatchObject({ apiKey: 'backend', scopes: ['publish'] });
});

test.each(['', 'x', first.slice(0, -1), `${first}x`, first.toUpperCase()])(
  '%j is an unknown key beside the one that there is',
  (presented) => {
    const keys = apiKeys([{ key: first }]);
    expect([keys.identify(presented), keys.identify(first)?.apiKey]).toEqual([undefined, 'key-1']);
  },
);

test('without configured keys no text is a key', () => {
  expect(apiKeys([]).identify('')).toBeUndefined();
});

test('neither the keys nor an identity show a key when they are printed', () => {
  const keys = apiKeys([{ key: first }]);
  const printed = inspect([keys, keys.identify(first)], { depth: 9, showHidden: true });
  expect(printed).not.toContain(first);
});

describe('the credential of a request', () => {
  const of = (headers: Record<string, string>) => presentedCredential(request({ headers }));

  test('may be in either header', () => {
    expect(of({ 'x-api-key': first })).toBe(first);
    expect(of({ authorization: `Bearer ${first}` })).toBe(first);
    expect(of({ authorization: `bearer   ${first}  ` })).toBe(first);
  });

  test('is not that of another scheme', () => {
    expect(of({ authorization: `Basic ${first}` })).toBe('');
    expect(of({ authorization: first })).toBe('');
    expect(of({})).toBe('');
  });
});

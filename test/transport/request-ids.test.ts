import { expect, test } from 'vitest';
import { RequestIds } from '../../src/transport/request-ids.ts';

const asked = (given: string, peerAddress = '10.0.0.1') => ({
  peerAddress,
  header: (name: string) => (name === 'x-request-id' ? given : ''),
});
const idsOf = (proxies: string[]) =>
  new RequestIds({ hasProxies: () => proxies.length > 0, isProxy: (peer) => proxies.includes(peer) });
const isOwn = (id: string) => /^[\w-]{8}-[0-9a-f]{8}$/.test(id);

test('every request has an id of its own, whatever it brings', () => {
  const ids = idsOf([]);
  const made = Array.from({ length: 10_000 }, () => ids.of(asked('mine')));
  expect(new Set(made).size).toBe(10_000);
  expect(made.every(isOwn)).toBe(true);
});

test('of a trusted proxy the id that it gives counts, up to 128 characters, and of others not', () => {
  const ids = idsOf(['10.0.0.1']);
  const longest = 'x'.repeat(128);
  for (const given of ['7c9e6679-7425-40de-944b-e07fc1f90ae7', 'Root=1-67891233:a/b+c~d@e', longest])
    expect(ids.of(asked(given))).toBe(given);
  for (const given of ['', `${longest}x`, 'a b', 'a\tb', 'ü', '"', '<b>', '\u001b[31m', 'a;b', 'a\r\nb'])
    expect(isOwn(ids.of(asked(given)))).toBe(true);
  expect(isOwn(ids.of(asked('mine', '10.0.0.2')))).toBe(true);
});

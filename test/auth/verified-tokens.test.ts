import { expect, test } from 'vitest';
import { anonymousIdentity, type Identity } from '../../src/auth/identity.ts';
import { VerifiedTokens } from '../../src/auth/verified-tokens.ts';

const nowMs = Date.parse('2026-01-01T00:00:00Z');
const alice: Identity = { ...anonymousIdentity, user: 'alice' };

/** Each counts as 512 and this. */
const length = 488;
const bytesOfTwo = 2000;

test('a token that was added is known, another one is not', () => {
  const tokens = new VerifiedTokens(bytesOfTwo);
  tokens.add('a', length, alice);
  expect(tokens.find('a', nowMs)).toBe(alice);
  expect(tokens.find('b', nowMs)).toBeUndefined();
});

test.each([
  [-1, true],
  [0, false],
  [1, false],
])('%j ms after its end: known is %j', (ms, known) => {
  const tokens = new VerifiedTokens(bytesOfTwo);
  tokens.add('a', length, { ...alice, expiresAtMs: nowMs });
  expect(tokens.find('a', nowMs + ms) !== undefined).toBe(known);
});

test.each([
  [bytesOfTwo - 1, false],
  [bytesOfTwo, true],
  [bytesOfTwo + 1, true],
])('of two tokens with 2000 bytes, in %j the older one is kept: %j', (maxBytes, kept) => {
  const tokens = new VerifiedTokens(maxBytes);
  tokens.add('a', length, alice);
  tokens.add('b', length, alice);
  expect(tokens.find('a', nowMs) !== undefined).toBe(kept);
  expect(tokens.find('b', nowMs)).toBe(alice);
});

test('a token that would not fit alone drives out no other', () => {
  const tokens = new VerifiedTokens(bytesOfTwo);
  tokens.add('a', length, alice);
  tokens.add('x', bytesOfTwo, alice);
  expect(tokens.find('x', nowMs)).toBeUndefined();
  expect(tokens.find('a', nowMs)).toBe(alice);
});

test('a token that is added again takes no more room', () => {
  const tokens = new VerifiedTokens(bytesOfTwo);
  for (let i = 0; i < 3; i++) tokens.add('a', length, alice);
  tokens.add('b', length, alice);
  expect(tokens.find('a', nowMs)).toBe(alice);
});

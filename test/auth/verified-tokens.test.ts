import { expect, test } from 'vitest';
import { anonymousIdentity, type Identity } from '../../src/auth/identity.ts';
import { VerifiedTokens } from '../../src/auth/verified-tokens.ts';

const nowMs = Date.parse('2026-01-01T00:00:00Z');
const alice: Identity = { ...anonymousIdentity, user: 'alice', anonymous: false };

/** Each counts as its length and 512. */
const token = (name: string) => name.padEnd(488, '.');
const bytesOfTwo = 2000;

test('a token that was added is known, another one is not', () => {
  const tokens = new VerifiedTokens(bytesOfTwo);
  tokens.add(token('a'), alice);
  expect(tokens.find(token('a'), nowMs)).toBe(alice);
  expect(tokens.find(token('b'), nowMs)).toBeUndefined();
});

test.each([
  [-1, true],
  [0, false],
  [1, false],
])('%j ms behind its end: known is %j', (ms, known) => {
  const tokens = new VerifiedTokens(bytesOfTwo);
  tokens.add(token('a'), { ...alice, expiresAtMs: nowMs });
  expect(tokens.find(token('a'), nowMs + ms) !== undefined).toBe(known);
});

test.each([
  [bytesOfTwo - 1, false],
  [bytesOfTwo, true],
  [bytesOfTwo + 1, true],
])('of two tokens with 2000 bytes, in %j the older one is kept: %j', (maxBytes, kept) => {
  const tokens = new VerifiedTokens(maxBytes);
  tokens.add(token('a'), alice);
  tokens.add(token('b'), alice);
  expect(tokens.find(token('a'), nowMs) !== undefined).toBe(kept);
  expect(tokens.find(token('b'), nowMs)).toBe(alice);
});

test('a token that would not fit alone drives out no other', () => {
  const tokens = new VerifiedTokens(bytesOfTwo);
  tokens.add(token('a'), alice);
  tokens.add('x'.repeat(bytesOfTwo), alice);
  expect(tokens.find('x'.repeat(bytesOfTwo), nowMs)).toBeUndefined();
  expect(tokens.find(token('a'), nowMs)).toBe(alice);
});

test('a token that is added again takes no more room', () => {
  const tokens = new VerifiedTokens(bytesOfTwo);
  for (let i = 0; i < 3; i++) tokens.add(token('a'), alice);
  tokens.add(token('b'), alice);
  expect(tokens.find(token('a'), nowMs)).toBe(alice);
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalTopic, userTopicName } from '../../src/protocol/user-topics.ts';

test.each([
  ['user:alice@example.org', 'user:alice@example.org'],
  ['user:alice%40example.org', 'user:alice@example.org'],
  ['user:a%3ab%3Ac%2Fd%2fe', 'user:a:b:c/d/e'],
  ['user:%41%7A%30%5F%2D%2e', 'user:Az0_-.'],
  ['user:a%20b', 'user:a%20b'],
  ['user:%c3%bc%2a', 'user:%C3%BC%2A'],
  // The escape of `%` stays one, so what follows it is text.
  ['user:alice%2540example.org', 'user:alice%2540example.org'],
  ['user:50%25', 'user:50%25'],
  ['user:50%', 'user:50%25'],
  ['user:a%zz%4', 'user:a%25zz%254'],
  ['user:', 'user:'],
  ['user:a b', 'user:a%20b'],
  ["user:o'brien~(x)!", 'user:o%27brien%7E%28x%29%21'],
  ['user:jörg', 'user:j%C3%B6rg'],
  ['user:a*b', 'user:a%2Ab'],
  ['user:😀', 'user:%F0%9F%98%80'],
  ['user:\ud800', 'user:\ud800'],
  // Patterns, also those that end within an escape.
  ['user:alice%40*', 'user:alice@*'],
  ['user:%c3%b*', 'user:%C3%B*'],
  ['user:a%*', 'user:a%*'],
  ['user:a%2*', 'user:a%2*'],
  ['user:a%%40*', 'user:a%25@*'],
  ['user:*', 'user:*'],
  // Names of other topics have one spelling anyway.
  ['users:a%40b', 'users:a%40b'],
  ['room:a%40b', 'room:a%40b'],
  ['user%3Aalice', 'user%3Aalice'],
  ['user', 'user'],
])('%s is %s', (name, canonical) => {
  expect(canonicalTopic(name)).toBe(canonical);
});

test('the name of a user’s topic is canonical, and stays so when it is made canonical again', () => {
  const part = fc.string({
    unit: fc.constantFrom('%', '4', '0', 'c', '2', '5', '@', 'a', '*'),
    maxLength: 8,
  });
  fc.assert(
    fc.property(part, (rest) => {
      const canonical = canonicalTopic(`user:${rest}`);
      expect(canonicalTopic(canonical)).toBe(canonical);
    }),
  );
});

test('every encoding of a user’s name is the same topic', () => {
  const encodings = [
    encodeURIComponent,
    (user: string) => encodeURIComponent(user).toLowerCase(),
    encodeURI,
    (user: string) => [...Buffer.from(user)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
  ];
  const name = fc.string({
    unit: fc.constantFrom('%', '4', '0', '@', ':', '/', 'ü', ' ', 'a', '😀'),
    maxLength: 8,
  });
  fc.assert(
    fc.property(name, (user) => {
      for (const encode of encodings)
        expect(canonicalTopic(`user:${encode(user)}`)).toBe(userTopicName(user));
    }),
  );
});

test('a user whom UTF-8 can’t write has no topic', () => {
  expect(userTopicName('a\ud800')).toBeUndefined();
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainClaims, readClaims } from '../../src/auth/claims.ts';

/** What a claim may be, and much that it may not. */
const anything = fc.oneof(
  fc.constantFrom(
    null,
    true,
    0,
    -1,
    1.5,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    '',
    'alice',
    '\ud800',
    'a b',
    '$all',
    'x'.repeat(201),
  ),
  fc.constantFrom<unknown>([], {}, ['subscribe'], { pattern: 'a', allow: [] }),
  fc.jsonValue(),
);
const pattern = fc.constantFrom(
  'a',
  'job:*',
  '*',
  'b',
  'c:*',
  'user:a%40b',
  'user:é',
  'a b',
  '$all',
  'a*b',
  '',
  7,
);
const action = fc.constantFrom('subscribe', 'publish', 'presence');
const allow = fc.oneof(
  { weight: 9, arbitrary: fc.array(action, { maxLength: 3 }) },
  { weight: 1, arbitrary: fc.array(fc.constantFrom('subscribe', 'Publish', 7), { maxLength: 3 }) },
  { weight: 1, arbitrary: anything },
);
const mostly = <T>(right: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 9, arbitrary: right }, { weight: 1, arbitrary: anything });
const permission = fc.oneof(
  { weight: 9, arbitrary: fc.record({ pattern, allow }) },
  { weight: 1, arbitrary: fc.record({ pattern, allow, other: anything }, { requiredKeys: [] }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<unknown>(JSON.parse('{"pattern":"a","allow":[],"__proto__":{}}'), 7, null),
  },
);
const rarely = mostly(fc.constant(undefined));
const instant = mostly(fc.double({ noNaN: true, noDefaultInfinity: true }));
const claims = fc.record(
  {
    sub: mostly(fc.constantFrom('alice', 'é', 'a b')),
    exp: instant,
    nbf: instant,
    iat: instant,
    jti: mostly(fc.string()),
    topics: mostly(fc.array(permission, { maxLength: 4 })),
    other: anything,
    topic: rarely,
    filter: rarely,
  },
  { requiredKeys: [] },
);

test('claims that are read without the schema are what the schema reads', () => {
  let plain = 0;
  fc.assert(
    fc.property(claims, (payload) => {
      const read = plainClaims(payload);
      if (read === undefined) return;
      plain++;
      expect(read).toEqual(readClaims(payload));
    }),
    { numRuns: 2000 },
  );
  expect(plain).toBeGreaterThan(100);
});

test.each([
  [{ sub: 'alice', exp: 2, iat: 1, topics: [{ pattern: 'job:*', allow: ['subscribe', 'presence'] }] }, true],
  [{ jti: 'x'.repeat(200) }, true],
  [{ jti: 'x'.repeat(201) }, false],
  [{ topics: Array(1000).fill({ pattern: 'a', allow: [] }) }, true],
  [{ topics: Array(1001).fill({ pattern: 'a', allow: [] }) }, false],
  [{ topic: 'a' }, false],
  [{ sub: '' }, false],
  [{ exp: Number.POSITIVE_INFINITY }, false],
])('claims number %#: without the schema: %j', (payload, isPlain) => {
  expect(plainClaims(payload) !== undefined).toBe(isPlain);
});

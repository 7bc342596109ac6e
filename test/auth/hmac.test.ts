import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Hmac } from '../../src/auth/hmac.ts';

const keys = [1, 32, 63, 64, 65, 200].map((length) =>
  Buffer.alloc(length).map((_, i) => (i * 37 + length) % 256),
);

test('the HMAC is that of Node, for keys and texts of any length', () => {
  const hmacs = keys.map((key) => new Hmac(key));
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.integer({ min: 2040, max: 2060 }).map((length) => '€'.repeat(length)),
  );
  fc.assert(
    fc.property(fc.nat(keys.length - 1), text, (i, signed) => {
      const expected = createHmac('sha256', keys[i]!).update(signed).digest('base64url');
      expect(hmacs[i]!.of(signed)).toBe(expected);
    }),
    { numRuns: 150 },
  );
});

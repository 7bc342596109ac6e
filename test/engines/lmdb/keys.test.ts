import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  goneKey,
  headKey,
  nameOfHeadKey,
  offsetKey,
  offsetOfKey,
  stateKey,
  topicNumberOf,
  topicRange,
} from '../../../src/engines/lmdb/keys.ts';

const number = fc.integer({ min: 1, max: 2 ** 48 - 2 });
const offset = fc.oneof(
  fc.integer({ min: 0, max: 1000 }),
  fc.integer({ min: 2 ** 32 - 5, max: 2 ** 32 + 5 }),
  fc.maxSafeNat(),
);

test('keys order publications by topic and offset, and say both', () => {
  fc.assert(
    fc.property(number, offset, number, offset, (n, a, m, b) => {
      const [left, right] = [offsetKey('publication', n, a), offsetKey('publication', m, b)];
      const expected = n === m ? Math.sign(a - b) : Math.sign(n - m);
      expect(Math.sign(Buffer.compare(left, right))).toBe(expected);
      expect(offsetOfKey(left)).toBe(a);
      const { start, end } = topicRange('publication', n);
      expect(Buffer.compare(left, start) >= 0 && Buffer.compare(left, end) < 0).toBe(true);
    }),
  );
});

test('the keys of a topic’s state lie in its range, whatever they are', () => {
  fc.assert(
    fc.property(number, fc.string({ unit: 'binary' }), (n, key) => {
      const { start, end } = topicRange('state', n);
      const at = stateKey(n, key);
      expect(Buffer.compare(at, start) >= 0 && Buffer.compare(at, end) < 0).toBe(true);
    }),
  );
});

test('names and numbers come back from their keys', () => {
  expect(nameOfHeadKey(headKey('job:42/a@b%20'))).toBe('job:42/a@b%20');
  expect(topicNumberOf(goneKey(2 ** 48 - 1))).toBe(2 ** 48 - 1);
});

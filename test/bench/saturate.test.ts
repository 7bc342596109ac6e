import { expect, test } from 'vitest';
import { nextRate } from '../../bench/trials/saturate.ts';

test('asks for more while no receiver is late, but not for much more than has arrived', () => {
  expect(nextRate(1000, 1000, 5, 'climbing')).toBeCloseTo(1300);
  expect(nextRate(1000, 1000, 5, 'holding')).toBeCloseTo(1100);
  expect(nextRate(1000, 500, 5, 'climbing')).toBe(1000);
});

test('stays where it is when receivers are a little late', () => {
  expect(nextRate(1000, 900, 60, 'climbing')).toBe(1000);
});

test('asks for less than what arrives when they are late', () => {
  expect(nextRate(1000, 500, 200, 'holding')).toBeCloseTo(400);
  expect(nextRate(1000, 0, 200, 'holding')).toBeGreaterThan(0);
});

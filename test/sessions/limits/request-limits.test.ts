import { describe, expect, test } from 'vitest';
import { RequestLimits } from '../../../src/sessions/limits/request-limits.ts';
import { readAtOnce } from '../../support/arrival.ts';

function makeLimits() {
  const clock = { nowMs: 0 };
  const rates = { httpRequestsPerSecondPerIp: 3, httpRequestsPerSecondPerUser: 2 };
  return {
    clock,
    rates,
    limits: new RequestLimits(
      rates,
      readAtOnce(() => clock.nowMs),
    ),
  };
}

describe('requests of a payer', () => {
  test.each([
    ['an address', true, 3],
    ['a user', false, 2],
  ])('of %s are taken up to its rate, and the next is told when it may come', (_, isAddress, perSecond) => {
    const { clock, limits } = makeLimits();
    for (let i = 0; i < perSecond; i++) expect(limits.take('a', isAddress)).toBe(0);
    const waitMs = limits.take('a', isAddress);
    expect(waitMs).toBe(Math.ceil(1000 / perSecond));
    expect(limits.take('b', isAddress)).toBe(0);
    clock.nowMs += waitMs - 1;
    expect(limits.take('a', isAddress)).toBe(1);
    clock.nowMs += 1;
    expect(limits.take('a', isAddress)).toBe(0);
  });

  test('are counted by the rates as they are reloaded', () => {
    const { rates, limits } = makeLimits();
    rates.httpRequestsPerSecondPerUser = 4;
    limits.reload();
    expect([1, 2, 3, 4, 5].map(() => limits.take('a', false) === 0)).toEqual([true, true, true, true, false]);
  });
});

describe('the time that requests take', () => {
  test.each([
    [99, 0],
    [100, 4],
    [350, 1004],
  ])('is 100 ms at once and 250 ms a second: after %i ms the next may come in %i ms', (ms, waitMs) => {
    const { limits } = makeLimits();
    limits.spent('a', ms, 0);
    expect(limits.take('a', true)).toBe(waitMs);
    expect(limits.take('b', true)).toBe(0);
  });

  test('includes large responses', () => {
    const { limits } = makeLimits();
    limits.spent('a', 0, 99 * 200 * 1024);
    expect(limits.take('a', true)).toBe(0);
    limits.spent('a', 0, 2 * 200 * 1024);
    expect(limits.take('a', true)).toBeGreaterThan(0);
  });
});

import { describe, expect, it } from 'vitest';
import { Backoff } from '../../src/client/backoff.ts';

const next = (backoff: Backoff, count: number) => Array.from({ length: count }, () => backoff.next());

describe('Backoff', () => {
  it('waits 1, 2, 4, 8, 16 and then always 30 seconds', () => {
    const seconds = next(new Backoff({}, () => 1), 8).map((ms) => (ms ?? 0) / 1_000);
    expect(seconds).toEqual([1, 2, 4, 8, 16, 30, 30, 30]);
  });

  it('begins anew after a reset', () => {
    const backoff = new Backoff({ delaysMs: [10, 20] }, () => 1);
    next(backoff, 3);
    expect(backoff.attempts).toBe(3);
    backoff.reset();
    expect(backoff.next()).toBe(10);
  });

  it('spreads with full jitter over the whole delay', () => {
    expect(new Backoff({ jitter: 'full' }, () => 0).next()).toBe(0);
    expect(new Backoff({ jitter: 'full' }, () => 0.25).next()).toBe(250);
  });

  it('ends after as many attempts as may be', () => {
    expect(next(new Backoff({ delaysMs: [10], maxAttempts: 2 }, () => 1), 3)).toEqual([10, 10, undefined]);
  });
});

import { describe, expect, it } from 'vitest';
import { Backoff, type BackoffOptions } from '../../../src/client/connection/backoff.ts';

/** The delays of the first attempts. */
function delays(options: BackoffOptions, random: number, count = 7): (number | undefined)[] {
  const backoff = new Backoff(options, { random: () => random });
  return Array.from({ length: count }, () => backoff.next());
}

describe('Backoff', () => {
  it('draws each delay between half of 1, 2, 4, 8, 16, 30 s and all of it', () => {
    expect(delays({}, 0)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    expect(delays({}, 0.5, 2)).toEqual([750, 1_500]);
    expect(delays({}, 0.999_999)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  it('waits the delays themselves without jitter', () => {
    expect(delays({ jitter: 'none' }, 0)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  it('draws any delay up to the full one with full jitter', () => {
    expect(delays({ jitter: 'full' }, 0, 2)).toEqual([0, 0]);
    expect(delays({ jitter: 'full' }, 0.25, 2)).toEqual([250, 500]);
  });

  it('has no end by default, and ends after `maxAttempts`', () => {
    expect(delays({}, 1, 1_000).at(-1)).toBe(30_000);
    expect(delays({ delaysMs: [10], maxAttempts: 2 }, 1, 3)).toEqual([10, 10, undefined]);
  });

  it('starts from the first delay after a success', () => {
    const backoff = new Backoff({ maxAttempts: 1 }, { random: () => 1 });
    expect([backoff.next(), backoff.next()]).toEqual([1_000, undefined]);
    backoff.reset();
    expect([backoff.next(), backoff.attempts]).toEqual([1_000, 1]);
  });
});

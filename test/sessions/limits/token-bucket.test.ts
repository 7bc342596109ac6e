import { describe, expect, test } from 'vitest';
import { TokenBuckets } from '../../../src/sessions/limits/token-bucket.ts';

/** A bucket of many, at the times that it is asked. */
class Bucket {
  #nowMs: number;
  #stallMs = 0;
  readonly #all: TokenBuckets;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#nowMs = nowMs;
    this.#all = new TokenBuckets(perSecond, burst, {
      nowMs: () => this.#nowMs,
      sinceMs: () => this.#nowMs - this.#stallMs,
    });
  }

  /** From now on everything is read this long after it may have come. */
  stall(ms: number): void {
    this.#stallMs = ms;
  }

  take(nowMs: number): number {
    this.#nowMs = nowMs;
    return this.#all.take('it');
  }

  spend(tokens: number, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#all.spend('it', tokens);
  }

  waitMs(nowMs: number): number {
    this.#nowMs = nowMs;
    return this.#all.waitMs('it');
  }
}

describe('token bucket', () => {
  test('gives a burst at once, and then says how long to wait', () => {
    const bucket = new Bucket(10, 3, 0);
    expect([bucket.take(0), bucket.take(0), bucket.take(0), bucket.take(0)]).toEqual([0, 0, 0, 100]);
  });

  test('gives a token exactly when it said it would', () => {
    const bucket = new Bucket(10, 1, 0);
    bucket.take(0);
    expect([bucket.take(99), bucket.take(100), bucket.take(100)]).toEqual([1, 0, 100]);
  });

  test('asking in vain costs nothing', () => {
    const bucket = new Bucket(1, 1, 0);
    bucket.take(0);
    for (let ms = 1; ms < 1000; ms += 100) bucket.take(ms);
    expect(bucket.take(1000)).toBe(0);
  });

  test('says how long to wait without taking anything', () => {
    const bucket = new Bucket(10, 2, 0);
    const asked = () => [bucket.waitMs(0), bucket.waitMs(0), bucket.waitMs(0)];
    expect([asked(), bucket.take(0)]).toEqual([[0, 0, 0], 0]);
    expect([asked(), bucket.take(0)]).toEqual([[0, 0, 0], 0]);
    expect([asked(), bucket.take(0)]).toEqual([[100, 100, 100], 100]);
    expect([bucket.waitMs(99), bucket.waitMs(100), bucket.take(100), bucket.waitMs(100)]).toEqual([
      1, 0, 0, 100,
    ]);
  });

  test('saves no more than a burst', () => {
    const bucket = new Bucket(10, 2, 0);
    const taken = [bucket.take(60_000), bucket.take(60_000), bucket.take(60_000)];
    expect(taken).toEqual([0, 0, 100]);
  });

  test('is in debt by what it is charged beyond its tokens, and until that is paid', () => {
    const bucket = new Bucket(10, 2, 0);
    bucket.spend(5, 0);
    expect([bucket.waitMs(0), bucket.waitMs(399), bucket.take(400), bucket.waitMs(400)]).toEqual([
      400, 1, 0, 100,
    ]);
  });

  test('is given back no more than its burst', () => {
    const bucket = new Bucket(10, 2, 0);
    bucket.take(0);
    for (let i = 0; i < 3; i++) bucket.spend(-1, 0);
    expect([bucket.take(0), bucket.take(0), bucket.take(0)]).toEqual([0, 0, 100]);
  });

  test('gives what may have come while nothing was read, and then no burst on top of that', () => {
    const bucket = new Bucket(10, 2, 0);
    bucket.stall(500);
    const taken = Array.from({ length: 8 }, () => bucket.take(1000));
    expect(taken).toEqual([0, 0, 0, 0, 0, 0, 0, 100]);
    bucket.stall(0);
    expect([bucket.take(1099), bucket.take(1100), bucket.take(1100)]).toEqual([1, 0, 100]);
  });

  test('gives no more after a stall where tokens were taken shortly before it', () => {
    const bucket = new Bucket(10, 2, 0);
    bucket.take(500);
    bucket.take(500);
    bucket.stall(500);
    // Full again at 700, of the 1000 that it is now.
    expect(Array.from({ length: 6 }, () => bucket.take(1000))).toEqual([0, 0, 0, 0, 0, 100]);
  });

  test('is charged for work as early as that', () => {
    const bucket = new Bucket(10, 2, 0);
    bucket.stall(500);
    bucket.spend(6, 1000);
    expect([bucket.take(1000), bucket.take(1000)]).toEqual([0, 100]);
  });

  test.each([
    [99, 1],
    [100, 0],
  ])(
    'is full again once it has made up for what was taken: after %i ms the burst lacks %i ms',
    (nowMs, waitMs) => {
      const bucket = new Bucket(10, 2, 0);
      bucket.take(0);
      expect([bucket.take(nowMs), bucket.take(nowMs)]).toEqual([0, waitMs]);
    },
  );
});

import { describe, expect, test } from 'vitest';
import { TokenBucket } from '../../src/sessions/token-bucket.ts';

describe('token bucket', () => {
  test('gives a burst at once, and then says how long to wait', () => {
    const bucket = new TokenBucket(10, 3, 0);
    expect([bucket.take(0), bucket.take(0), bucket.take(0), bucket.take(0)]).toEqual([0, 0, 0, 100]);
  });

  test('gives a token exactly when it said it would', () => {
    const bucket = new TokenBucket(10, 1, 0);
    bucket.take(0);
    expect([bucket.take(99), bucket.take(100), bucket.take(100)]).toEqual([1, 0, 100]);
  });

  test('asking in vain costs nothing', () => {
    const bucket = new TokenBucket(1, 1, 0);
    bucket.take(0);
    for (let ms = 1; ms < 1000; ms += 100) bucket.take(ms);
    expect(bucket.take(1000)).toBe(0);
  });

  test('says how long to wait without taking anything', () => {
    const bucket = new TokenBucket(10, 2, 0);
    const asked = () => [bucket.waitMs(0), bucket.waitMs(0), bucket.waitMs(0)];
    expect([asked(), bucket.take(0)]).toEqual([[0, 0, 0], 0]);
    expect([asked(), bucket.take(0)]).toEqual([[0, 0, 0], 0]);
    expect([asked(), bucket.take(0)]).toEqual([[100, 100, 100], 100]);
    expect([bucket.waitMs(99), bucket.waitMs(100), bucket.take(100), bucket.waitMs(100)]).toEqual([
      1, 0, 0, 100,
    ]);
  });

  test('saves no more than a burst', () => {
    const bucket = new TokenBucket(10, 2, 0);
    const taken = [bucket.take(60_000), bucket.take(60_000), bucket.take(60_000)];
    expect(taken).toEqual([0, 0, 100]);
  });

  test('is full again once it has made up for what was taken', () => {
    const bucket = new TokenBucket(10, 2, 0);
    expect(bucket.isFull(0)).toBe(true);
    bucket.take(0);
    expect([bucket.isFull(99), bucket.isFull(100)]).toEqual([false, true]);
  });
});

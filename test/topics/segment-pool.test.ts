import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Ring } from '../../src/topics/ring.ts';
import type { Segment } from '../../src/topics/segment.ts';
import { SegmentPool } from '../../src/topics/segment-pool.ts';
import { collectGarbage } from '../support/memory.ts';
import { json, stored } from './fixtures.ts';

const limits = { maxPublications: 20, maxAgeMs: 60_000, maxBytes: 1_000_000 };

describe('a pool of segments', () => {
  test.each([
    [1, 0, 256],
    [256, 511, 256],
    [256, 512, 512],
    [257, 0, 512],
    [300, 16_383, 8192],
    [16_384, 1_000_000, 16_384],
    [16_385, 1_000_000, 18_432],
    [32_768, 0, 32_768],
    [32_769, 0, 36_864],
    [65_600, 0, 73_728],
  ])('gives, for at least %i and about %i bytes, %i', (least, wanted, length) => {
    expect(new SegmentPool().take(least, wanted).bytes.length).toBe(length);
  });

  test('gives again what came back, by its length, and nothing twice', () => {
    const pool = new SegmentPool();
    const [small, large] = [pool.take(256, 0), pool.take(1024, 0)];
    pool.give(small);
    pool.give(large);
    expect(pool.take(1024, 0)).toBe(large);
    expect(pool.take(1024, 0)).not.toBe(large);
    expect(pool.take(256, 0)).toBe(small);
    expect(pool.take(256, 0)).not.toBe(small);
  });

  test('gives again what was made for one large publication, to another of about its length', () => {
    const pool = new SegmentPool();
    const large = pool.take(65_100, 0);
    pool.give(large);
    expect(pool.take(50_000, 0)).not.toBe(large);
    expect(pool.take(64_000, 0)).toBe(large);
    expect(pool.take(64_000, 0)).not.toBe(large);
  });

  test('V8 counts what was made for large publications', () => {
    const pool = new SegmentPool();
    const before = process.memoryUsage().external;
    const taken = Array.from({ length: 100 }, () => pool.take(65_000, 0));
    expect(taken).toHaveLength(100);
    expect(process.memoryUsage().external - before).toBeGreaterThan(5_000_000);
  });

  test('V8 does not count what rings take', () => {
    const pool = new SegmentPool();
    const before = process.memoryUsage().external;
    const taken = Array.from({ length: 500 }, () => pool.take(16_384, 0));
    expect(taken).toHaveLength(500);
    expect(process.memoryUsage().external - before).toBeLessThan(1_000_000);
  });

  test('keeps no free segment from being collected', async () => {
    const pool = new SegmentPool();
    const made: WeakRef<Segment>[] = [];
    for (let i = 0; i < 3; i++) made.push(pool.take(256, 0).weakly);
    for (const weakly of made) pool.give(weakly.deref() as Segment);
    // Until then the runtime keeps what a `WeakRef` has shown.
    await setImmediate();
    collectGarbage();
    expect(made.map((weakly) => weakly.deref())).toEqual([undefined, undefined, undefined]);
    const next = pool.take(256, 0);
    pool.give(next);
    expect(pool.take(256, 0)).toBe(next);
  });

  test('rings that use each other’s segments hold what was pushed to them, and no more', () => {
    const step = fc.record({ at: fc.nat(2), bytes: fc.nat(3000), empties: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const pool = new SegmentPool();
        const rings = [0, 1, 2].map(() => new Ring(limits, pool, () => undefined));
        const texts: string[][] = [[], [], []];
        for (const { at, bytes, empties } of steps) {
          const ring = rings[at] as Ring;
          const held = texts[at] as string[];
          if (empties && held.length > bytes % 40) {
            ring.evictAll();
            held.length = 0;
          }
          const text = `${at} ${ring.newest} `.repeat(bytes / 6);
          ring.push([stored(ring.newest + 1, { payload: json(text) })]);
          held.push(JSON.stringify(text));
          if (held.length > limits.maxPublications) held.shift();
        }
        const textsOf = (ring: Ring) => ring.slice(0).map(({ payload }) => `${Buffer.from(payload.bytes)}`);
        expect(rings.map(textsOf)).toEqual(texts);
      }),
      { numRuns: 50 },
    );
  });
});

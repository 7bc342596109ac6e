import { describe, expect, test } from 'vitest';
import type { PublishFields } from '../../src/protocol/frames.ts';
import { PackedPublications } from '../../src/topics/packed-publications.ts';
import { SegmentPool } from '../../src/topics/segment-pool.ts';
import { codecs } from '../support/codecs.ts';
import { factsOf, json, stored } from './fixtures.ts';

/** What a segment keeps of each beside its encoding. */
const factsBytes = 32;

/** A publication whose encoding has this many bytes. */
function sized(offset: number, bytes: number, more: Partial<PublishFields> = {}) {
  const withPayload = (length: number) =>
    stored(offset, { ...more, payload: json('x'.repeat(length)) }, 1000);
  const encoded = (length: number) => withPayload(length).encoded(codecs.protobuf).length;
  let length = bytes;
  while (encoded(length) > bytes) length--;
  return withPayload(length);
}

describe('packed publications', () => {
  test('grow by what they hold, from 256 bytes to steps of 16 KiB', () => {
    const packed = new PackedPublications(new SegmentPool());
    const steps: number[] = [];
    for (let offset = 1; offset <= 1000; offset++) {
      const { capacity } = packed;
      packed.push(sized(offset, 128 - factsBytes));
      if (packed.capacity > capacity) steps.push(packed.capacity - capacity);
    }
    expect(steps.slice(0, 5)).toEqual([256, 256, 512, 1024, 2048]);
    expect(steps.slice(-4)).toEqual([16_384, 16_384, 16_384, 16_384]);
  });

  test('one that is larger than a segment has one of its own', () => {
    const packed = new PackedPublications(new SegmentPool());
    packed.push(sized(1, 20_000));
    // In steps of 2 KiB there.
    expect(packed.capacity).toBe(20_480);
    packed.push(sized(2, 20_480 - factsBytes + 1));
    expect(packed.capacity).toBe(20_480 + 22_528);
    expect(factsOf(packed.at(1))).toEqual(factsOf(sized(2, 20_480 - factsBytes + 1)));
  });

  test.each([
    [1, 2],
    [10, 16],
  ])('%i that come and go take %i segments at most, which are used again', (most, segments) => {
    const packed = new PackedPublications(new SegmentPool());
    const used = new Set<ArrayBufferLike>();
    for (let offset = 1; offset <= 500; offset++) {
      packed.push(stored(offset, { payload: json('x'.repeat(200 - factsBytes + (offset % 7))) }));
      if (packed.count > most) packed.shift();
      used.add(packed.at(packed.count - 1).encoded(codecs.protobuf).buffer);
    }
    expect(used.size).toBeLessThanOrEqual(segments);
  });

  test('the segment of a large one goes with it', () => {
    const packed = new PackedPublications(new SegmentPool());
    packed.push(sized(1, 100_000));
    for (let offset = 2; offset <= 100; offset++) {
      packed.push(stored(offset));
      if (packed.count > 10) packed.shift();
    }
    expect(packed.capacity).toBeLessThanOrEqual(16_384);
  });

  test('use the segments of the oldest again when they are full', () => {
    const packed = new PackedPublications(new SegmentPool());
    const push = (offset: number) => packed.push(stored(offset, { payload: json('x'.repeat(100)) }));
    for (let offset = 1; offset <= 1000; offset++) push(offset);
    const first = packed.copyAt(0);
    let most = 0;
    for (let offset = 1001; offset <= 3000; offset++) {
      push(offset);
      packed.shift();
      most = Math.max(most, packed.capacity);
    }
    expect(most).toBeLessThan(1000 * (140 + factsBytes) + 4 * 16_384);
    expect(factsOf(first)).toEqual(factsOf(stored(1, { payload: json('x'.repeat(100)) })));
    expect(factsOf(packed.at(999))).toEqual(factsOf(stored(3000, { payload: json('x'.repeat(100)) })));
  });

  test('a segment that is used again keeps nothing of those that left it', () => {
    const packed = new PackedPublications(new SegmentPool());
    const segmentOf = (index: number) => packed.at(index).encoded(codecs.protobuf).buffer;
    // One segment each: the next comes into the one that the last but one has left.
    const plain = (offset: number) => sized(offset, 256 - factsBytes);
    packed.push(sized(1, 256 - factsBytes, { except: 's', ttlMs: 5 }));
    const first = segmentOf(0);
    packed.push(plain(2));
    packed.shift();
    packed.push(plain(3));
    expect(segmentOf(1)).toBe(first);
    expect(factsOf(packed.at(1))).toEqual(factsOf(plain(3)));
  });

  test('give back the room of those that have left, and keep the others', () => {
    const packed = new PackedPublications(new SegmentPool());
    const more = { except: 's', ttlMs: 5 };
    for (let offset = 1; offset <= 1000; offset++) packed.push(stored(offset, more, offset));
    while (packed.count > 2) packed.shift();
    packed.trim();
    expect(packed.capacity).toBe(256);
    expect([packed.at(0), packed.at(1)].map(factsOf)).toEqual(
      [stored(999, more, 999), stored(1000, more, 1000)].map(factsOf),
    );
    expect(packed.oldestMs).toBe(999);
    packed.shift();
    packed.shift();
    packed.trim();
    expect([packed.count, packed.capacity, packed.oldestMs]).toEqual([0, 0, undefined]);
  });
});

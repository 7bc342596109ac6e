import { describe, expect, test } from 'vitest';
import { payloadOf, payloadsOf } from '../../src/api/payload-copies.ts';

const body = Uint8Array.from({ length: 10_000 }, (_, i) => i);

describe.each([
  ['the payload', payloadOf],
  ['payloads', payloadsOf],
])('taking %s out of a body', (_, takeFrom) => {
  test.each([
    ['bytes', body],
    ['a Buffer', Buffer.from(body)],
    ['a view', new Uint8Array([0, ...body]).subarray(1)],
  ])('that is %s yields its very bytes', (_kind, from) => {
    const take = takeFrom(from);
    for (const [start, end] of [
      [0, 3],
      [10, 10],
      [20, 40],
      [9000, 9999],
      [5, 7],
      [0, 10_000],
      [9999, 10_000],
    ] as const) {
      expect([...take(start, end)]).toEqual([...body.subarray(start, end)]);
    }
  });

  test.each([
    [2049, 2049],
    [4999, 4999],
    [5000, 10_000],
  ])('of %d bytes keeps %d alive', (length, kept) => {
    expect(takeFrom(body)(1, 1 + length).buffer.byteLength).toBe(kept);
    const buffer = Buffer.alloc(10_000);
    expect(takeFrom(buffer)(1, 1 + length).buffer.byteLength).toBe(kept);
  });
});

describe('small payloads of one body', () => {
  test('share slabs of 4 KiB, and never each other’s bytes', () => {
    const take = payloadsOf(body);
    const all = Array.from({ length: 16 }, (_, i) => take(i * 500, i * 500 + 500));
    expect(all.map((bytes) => [...bytes])).toEqual(
      Array.from({ length: 16 }, (_, i) => [...body.subarray(i * 500, i * 500 + 500)]),
    );
    expect(new Set(all.map(({ buffer }) => buffer)).size).toBe(2);
    expect(new Set(all.map(({ buffer }) => buffer.byteLength))).toEqual(new Set([4096]));
  });

  test.each([
    [1, 16],
    [255, 4080],
    [256, 4096],
    [257, 4096],
    [2048, 4096],
  ])('of %d bytes keep %d alive', (length, kept) => {
    expect(payloadsOf(body)(1, 1 + length).buffer.byteLength).toBe(kept);
  });

  test('keep nothing alive that lies behind the body', () => {
    expect(payloadsOf(body)(9_990, 9_999).buffer.byteLength).toBe(10);
  });
});

test('a payload that is the only one keeps nothing else alive', () => {
  expect(payloadOf(body)(1, 4).buffer.byteLength).toBe(3);
});

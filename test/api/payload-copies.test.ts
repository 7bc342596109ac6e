import { describe, expect, test } from 'vitest';
import { PayloadCopies } from '../../src/api/payload-copies.ts';

describe('copies of payloads', () => {
  const body = Uint8Array.from({ length: 10_000 }, (_, i) => i);
  const part = (start: number, length: number) => body.subarray(start, start + length);

  test('share slabs of 2 KiB, and never each other’s bytes', () => {
    const copies = new PayloadCopies(body);
    const all = Array.from({ length: 8 }, (_, i) => copies.copy(part(i * 500, 500)));
    expect(all.map((bytes) => [...bytes])).toEqual(
      Array.from({ length: 8 }, (_, i) => [...part(i * 500, 500)]),
    );
    expect(new Set(all.map(({ buffer }) => buffer)).size).toBe(2);
    expect(new Set(all.map(({ buffer }) => buffer.byteLength))).toEqual(new Set([2048]));
  });

  test.each([
    [1024, 2048],
    [1025, 1025],
    [4999, 4999],
  ])('of %d bytes keep %d alive', (length, kept) => {
    expect(new PayloadCopies(body).copy(part(1, length)).buffer.byteLength).toBe(kept);
  });

  test('a slab is no larger than the body', () => {
    const small = new Uint8Array(10);
    expect(new PayloadCopies(small).copy(small.subarray(0, 3)).buffer.byteLength).toBe(10);
  });

  test('are not made of what is most of the body, or no part of it', () => {
    const copies = new PayloadCopies(body);
    const most = part(0, 5000);
    const other = new Uint8Array(3);
    expect(copies.copy(most)).toBe(most);
    expect(copies.copy(other)).toBe(other);
  });
});

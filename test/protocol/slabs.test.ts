import { describe, expect, it } from 'vitest';
import { Slabs } from '../../src/protocol/slabs.ts';

describe('slabs', () => {
  it('give pieces that do not overlap, all 0, of as many bytes as were asked for', () => {
    const slabs = new Slabs(2048);
    const pieces = Array.from({ length: 300 }, (_, i) => slabs.take(i % 100));
    pieces.forEach((piece, i) => {
      expect(piece).toEqual(new Uint8Array(i % 100));
      piece.fill(i);
    });
    pieces.forEach((piece, i) => {
      expect(piece).toEqual(new Uint8Array(i % 100).fill(i));
    });
  });

  it('give pieces whose length shows when they are written', () => {
    const slabs = new Slabs(2048);
    const pieces = Array.from({ length: 300 }, (_, i) => {
      const bytes = slabs.open(3 * (i % 200));
      const end = slabs.start + (i % 200);
      bytes.fill(i, slabs.start, end);
      return slabs.close(end);
    });
    pieces.forEach((piece, i) => {
      expect(piece).toEqual(new Uint8Array(i % 200).fill(i));
    });
  });

  it.each([
    [1024, 767, 767],
    [1024, 768, 1024],
    [1024, 1024, 1024],
  ])('an array of %d of its own of which %d bytes are used is one of %d', (most, used, kept) => {
    const slabs = new Slabs(2048);
    slabs.open(most).fill(1, 0, used);
    const piece = slabs.close(used);
    expect([piece, piece.buffer.byteLength]).toEqual([new Uint8Array(used).fill(1), kept]);
    expect(slabs.take(8)).toEqual(new Uint8Array(8));
  });

  it.each([
    [511, 2048],
    [512, 2048],
    [513, 513],
  ])('%d bytes are in a buffer of %d', (length, buffer) => {
    const piece = new Slabs(2048).take(length);
    expect([piece.length, piece.buffer.byteLength]).toEqual([length, buffer]);
  });
});

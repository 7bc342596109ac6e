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

  it.each([
    [511, 2048],
    [512, 2048],
    [513, 513],
  ])('%d bytes stand in a buffer of %d', (length, buffer) => {
    const piece = new Slabs(2048).take(length);
    expect([piece.length, piece.buffer.byteLength]).toEqual([length, buffer]);
  });
});

import { constants, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { deflateSync, inflateSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { inflateRaw } from '../../src/protocol/inflate-raw.ts';

const level = fc.constantFrom<0 | 1 | 6 | 9>(0, 1, 6, 9);
/** Compressible and not. */
const plain = fc.oneof(
  fc.uint8Array({ maxLength: 2000 }),
  fc
    .tuple(
      fc.array(fc.constantFrom('{"cpu":', '"mem":', '12.5', ',', '}', 'x', 'server:web-'), {
        maxLength: 600,
      }),
      fc.string(),
    )
    .map(([words, end]) => new TextEncoder().encode(words.join('') + end)),
  fc.tuple(fc.nat(255), fc.nat(70_000)).map(([byte, length]) => new Uint8Array(length).fill(byte)),
);
const dictionary = fc.option(fc.uint8Array({ minLength: 300, maxLength: 3000 }), { nil: undefined });

function expectBytes(read: Uint8Array, wanted: Uint8Array): void {
  expect(Buffer.compare(read, wanted)).toBe(0);
}

describe('inflateRaw', () => {
  it('reads what fflate writes, with a dictionary or without', () => {
    fc.assert(
      fc.property(plain, level, dictionary, (data, by, shared) => {
        // fflate counts a dictionary as a part of a stored block: see `deflateBody`.
        fc.pre(shared === undefined || (by > 0 && data.length <= 8 * shared.length));
        const deflate = deflateSync(data, { level: by, dictionary: shared });
        expectBytes(inflateRaw(deflate, data.length, shared), data);
      }),
      { numRuns: 500 },
    );
  });

  it('reads what zlib writes, in each of its ways', () => {
    const { Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE } = constants;
    const strategy = fc.constantFrom(Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE);
    fc.assert(
      fc.property(plain, level, strategy, dictionary, (data, by, how, shared) => {
        const deflate = deflateRawSync(data, { level: by, strategy: how, dictionary: shared });
        expectBytes(inflateRaw(deflate, data.length, shared), data);
      }),
      { numRuns: 500 },
    );
  });

  it('ends where the room for its output ends', () => {
    const deflate = deflateSync(new Uint8Array(100_000));
    expect(() => inflateRaw(deflate, 99_999)).toThrow(RangeError);
    expect(inflateRaw(deflate, 100_000).length).toBe(100_000);
    expect(inflateRaw(deflate, 100_001).length).toBe(100_000);
  });

  it('refuses a stream that is cut off', () => {
    fc.assert(
      fc.property(plain, level, fc.nat(), (data, by, cut) => {
        const deflate = deflateSync(data, { level: by });
        const part = deflate.subarray(0, cut % deflate.length);
        expect(() => inflateRaw(part, data.length)).toThrow(RangeError);
      }),
      { numRuns: 300 },
    );
  });

  it('refuses a distance that reaches before the dictionary', () => {
    const shared = new TextEncoder().encode('abcdefghijklmnopqrstuvwxyz'.repeat(4));
    const deflate = deflateRawSync(shared, { dictionary: shared });
    expectBytes(inflateRaw(deflate, shared.length, shared), shared);
    expect(() => inflateRaw(deflate, shared.length)).toThrow(RangeError);
  });

  it('reads or refuses hostile bytes, and what it reads fflate reads alike', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (source) => {
        let read: Uint8Array;
        try {
          read = inflateRaw(source, 4096);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          return;
        }
        expectBytes(read, inflateSync(source, { out: new Uint8Array(4096) }));
      }),
      { numRuns: 5000 },
    );
  });
});

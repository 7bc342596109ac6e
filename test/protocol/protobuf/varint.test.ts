import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Reader } from '../../../src/protocol/protobuf/schema.ts';
import { readVarint, skipVarint, varintLength, writeVarint } from '../../../src/protocol/protobuf/varint.ts';

const limits = [7, 14, 21, 28, 31, 32, 35, 42, 49].flatMap((bits) => [2 ** bits - 1, 2 ** bits]);

describe('varints', () => {
  test('are what protobuf reads, as long as they say', () => {
    const integer = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, ...limits, Number.MAX_SAFE_INTEGER));
    fc.assert(
      fc.property(integer, fc.nat(3), (value, from) => {
        const bytes = new Uint8Array(16);
        const end = writeVarint(bytes, from, value);
        expect(end - from).toBe(varintLength(value));
        expect(Number(new Reader(bytes.subarray(from, end)).uint64())).toBe(value);
        expect(readVarint(bytes, from)).toBe(value);
        expect(skipVarint(bytes, from)).toBe(end);
      }),
      { examples: limits.map((limit): [number, number] => [limit, 0]) },
    );
  });
});

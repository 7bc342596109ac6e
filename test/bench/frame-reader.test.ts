import { describe, expect, it } from 'vitest';
import { FrameReader } from '../../bench/support/frame-reader.ts';

/** A frame as a server sends it. */
function serverFrame(payload: Buffer): Buffer {
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = 0x82;
  head[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

const lengths = [0, 1, 60, 125, 126, 300, 65_535, 65_536, 70_000, 5];
const payloads = lengths.map((length, i) => Buffer.alloc(length, 65 + i));
const stream = Buffer.concat(payloads.map(serverFrame));

function read(wantedBytes: number, chunkBytes: number): { heads: string[]; lengths: number[] } {
  const seen = { heads: [] as string[], lengths: [] as number[] };
  const reader = new FrameReader(wantedBytes, (_opcode, bytes, start, end, length) => {
    seen.heads.push(bytes.toString('latin1', start, end));
    seen.lengths.push(length);
  });
  for (let at = 0; at < stream.length; at += chunkBytes) {
    const chunk = Buffer.from(stream.subarray(at, at + chunkBytes));
    reader.push(chunk, chunk.length);
    // What was read is used again for what comes next.
    chunk.fill(0);
  }
  return seen;
}

describe('the reader of frames', () => {
  for (const chunkBytes of [5, 128, 1000, 65_536, stream.length]) {
    it(`hands over whole payloads, however they are cut: ${chunkBytes} bytes`, () => {
      const { heads, lengths: seen } = read(Number.POSITIVE_INFINITY, chunkBytes);
      expect(seen).toEqual(lengths);
      expect(heads.every((head, i) => head === payloads[i]!.toString('latin1'))).toBe(true);
    });

    it(`hands over as much as is wanted and skips the rest: ${chunkBytes} bytes`, () => {
      const { heads, lengths: seen } = read(48, chunkBytes);
      expect(seen).toEqual(lengths);
      expect(heads).toEqual(payloads.map((payload) => payload.toString('latin1', 0, 48)));
    });
  }
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BodyBlocks, BodyPieces, blockMaxBytes } from '../../../src/transport/uws/body-pieces.ts';

describe('the blocks of bodies', () => {
  test('are used again once they are given back, and not twice', () => {
    const blocks = new BodyBlocks();
    const block = blocks.take();
    blocks.give(block);
    expect(blocks.take()).toBe(block);
    expect(blocks.take()).not.toBe(block);
  });

  test.each([1, blockMaxBytes - 1, blockMaxBytes + 1])('of %i bytes are not', (length) => {
    const blocks = new BodyBlocks();
    const other = new Uint8Array(length);
    blocks.give(other);
    expect(blocks.take()).not.toBe(other);
  });

  test('are as many for a hundred bodies, one after the other, as for one', () => {
    const blocks = new BodyBlocks();
    const piece = new Uint8Array(500_000);
    const receive = () => {
      const pieces = new BodyPieces(blocks);
      for (let i = 0; i < 12; i++) pieces.add(piece);
      pieces.drop();
    };
    receive();
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 100; i++) receive();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
  });

  test('hold what came for each of the bodies that share them', () => {
    const step = fc.record({ at: fc.nat(2), bytes: fc.nat(3 * blockMaxBytes), ends: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const blocks = new BodyBlocks();
        const bodies = [0, 1, 2].map(() => ({ pieces: new BodyPieces(blocks), came: [] as Buffer[] }));
        for (const [i, { at, bytes, ends }] of steps.entries()) {
          const body = bodies[at]!;
          const piece = Buffer.alloc(bytes, i + 1);
          body.pieces.add(piece);
          body.came.push(piece);
          if (!ends) continue;
          const joined = body.pieces.joined();
          body.pieces.drop();
          bodies[at] = { pieces: new BodyPieces(blocks), came: [] };
          expect(Buffer.concat(body.came).equals(joined)).toBe(true);
        }
        for (const { pieces, came } of bodies) expect(Buffer.concat(came).equals(pieces.joined())).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});

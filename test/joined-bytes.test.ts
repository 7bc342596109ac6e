import { describe, expect, test } from 'vitest';
import { joinedBytes } from '../src/joined-bytes.ts';

const tooLarge = () => new RangeError('too large');

async function* drops(count: number) {
  for (let i = 0; i < count; i++) yield Uint8Array.of(i % 251);
}

describe('joined bytes', () => {
  test('pieces of any size, and none: come in their order', async () => {
    const pieces = [Uint8Array.of(1, 2), new Uint8Array(0), new Uint8Array(3000).fill(7), Uint8Array.of(3)];
    expect(await joinedBytes(pieces, 10_000, tooLarge)).toEqual(new Uint8Array(Buffer.concat(pieces)));
    expect(await joinedBytes([], 0, tooLarge)).toEqual(new Uint8Array(0));
  });

  test.each([
    [-1, true],
    [0, true],
    [1, false],
  ])('a length of %i bytes over the limit: is taken: %j', async (over, isTaken) => {
    const joined = joinedBytes(drops(1000 + over), 1000, tooLarge);
    if (isTaken) expect(await joined).toHaveLength(1000 + over);
    else await expect(joined).rejects.toThrow('too large');
  });

  test('what is held for 100 000 pieces of one byte: at most three times their bytes, and told at most 20 times', async () => {
    let heldBytes = 0;
    let mostBytes = 0;
    const taken: number[] = [];
    const hold = (bytes: number) => {
      heldBytes += bytes;
      mostBytes = Math.max(mostBytes, heldBytes);
      if (bytes > 0) taken.push(bytes);
    };
    const all = await joinedBytes(drops(100_000), 100_000, tooLarge, hold);
    expect(all).toHaveLength(100_000);
    expect(all[99_999]).toBe(99_999 % 251);
    expect([heldBytes, mostBytes <= 300_000, taken.length <= 20]).toEqual([100_000, true, true]);
  });

  test('no room for a piece: nothing further is read', async () => {
    let read = 0;
    async function* counted() {
      for await (const piece of drops(10_000)) {
        read++;
        yield piece;
      }
    }
    let free = 2000;
    const hold = (bytes: number) => {
      free -= bytes;
      if (free < 0) throw new Error('no room');
    };
    await expect(joinedBytes(counted(), 10_000, tooLarge, hold)).rejects.toThrow('no room');
    // 512 and 1024 bytes fit, one after the other; 2048 do not.
    expect(read).toBe(1025);
  });
});

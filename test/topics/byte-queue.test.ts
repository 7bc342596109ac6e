import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteQueue } from '../../src/topics/byte-queue.ts';

describe('a queue of bytes', () => {
  test('keeps what is pushed until it is let go of, wherever the array ends', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ push: fc.uint8Array({ maxLength: 400 }) }) },
      { weight: 3, arbitrary: fc.record({ shift: fc.double({ min: 0, max: 1, noNaN: true }) }) },
      { weight: 1, arbitrary: fc.constant({ trim: true }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const queue = new ByteQueue();
        let all: number[] = [];
        let begin = 0;
        for (const each of steps) {
          if ('push' in each) {
            queue.push(each.push);
            all.push(...each.push);
          } else if ('shift' in each) {
            const gone = Math.floor(each.shift * all.length);
            begin += gone;
            queue.shiftTo(begin);
            all = all.slice(gone);
          } else {
            queue.trim();
          }
          const read = new Uint8Array(all.length);
          queue.read(begin, read);
          expect([...read]).toEqual(all);
          expect([queue.begin, queue.end]).toEqual([begin, begin + all.length]);
        }
      }),
    );
  });

  test('what was read is a copy', () => {
    const queue = new ByteQueue();
    queue.push(new Uint8Array(200).fill(1));
    const read = new Uint8Array(200);
    queue.read(0, read);
    queue.shiftTo(200);
    queue.push(new Uint8Array(200).fill(2));
    expect(read).toEqual(new Uint8Array(200).fill(1));
  });

  test('grows by half of what it has, or to what is needed', () => {
    const queue = new ByteQueue();
    const capacities = [1, 255, 1, 1000].map((length) => {
      queue.push(new Uint8Array(length));
      return queue.capacity;
    });
    expect(capacities).toEqual([256, 256, 384, 1257]);
  });

  test.each([
    [251, 1000],
    [250, 375],
    [0, 256],
  ])('of 1000 bytes with %i used %i stay', (used, capacity) => {
    const queue = new ByteQueue();
    queue.push(new Uint8Array(1000));
    queue.shiftTo(1000 - used);
    queue.trim();
    expect(queue.capacity).toBe(capacity);
  });
});

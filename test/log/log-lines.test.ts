import { expect, test, vi } from 'vitest';
import { LogLines } from '../../src/log/log-lines.ts';

/** A descriptor that takes up to `room` bytes, and fails without room. */
function descriptor(room: number) {
  const taken: string[] = [];
  const leftOut: number[] = [];
  const it = { room, taken, leftOut, text: () => taken.join('') };
  const write = (bytes: Uint8Array) => {
    const some = bytes.subarray(0, it.room);
    if (some.length === 0) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
    it.room -= some.length;
    taken.push(Buffer.from(some).toString());
    return some.length;
  };
  return { ...it, it, lines: new LogLines({ write, onLeftOut: (count) => leftOut.push(count) }) };
}

const line = (i: number) => `${`line ${i}`.padEnd(1023, '.')}\n`;
const mebi = 1024;

test('writes each line at once, and by itself', () => {
  const { lines, taken } = descriptor(Number.POSITIVE_INFINITY);
  lines.write('a\n');
  lines.write('b\n');
  expect(taken).toEqual(['a\n', 'b\n']);
});

test('escapes characters that end, hide or turn a line where it is shown', () => {
  const { lines, it } = descriptor(Number.POSITIVE_INFINITY);
  const user = 'a\u2028\u2029{}\u009b2J\u007f\u202eb\u2066\u200f\u061c ünï 漢字 😀';
  lines.write(`${JSON.stringify({ user })}\n`);
  expect(it.text()).toMatch(/^[^\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*\n$/);
  expect(it.text()).toContain('ünï 漢字 😀');
  expect(JSON.parse(it.text())).toEqual({ user });
});

test('lines that were not taken follow in order, also the rest of one that was taken in part', async () => {
  const { lines, it } = descriptor(3);
  lines.write('abcd\n');
  lines.write('efgh\n');
  expect(it.text()).toBe('abc');
  it.room = Number.POSITIVE_INFINITY;
  await vi.waitUntil(() => it.text() === 'abcd\nefgh\n');
});

test('does not try the descriptor for each line while it takes none', () => {
  const write = vi.fn(() => 0);
  const lines = new LogLines({ write, onLeftOut: () => undefined });
  for (let i = 0; i < 100; i++) lines.write('a\n');
  expect(write).toHaveBeenCalledTimes(1);
});

test('keeps a mebibyte, leaves further lines out, and then says how many', async () => {
  const { lines, it, leftOut } = descriptor(0);
  for (let i = 0; i < mebi + 5; i++) lines.write(line(i));
  it.room = Number.POSITIVE_INFINITY;
  await vi.waitUntil(() => leftOut.length > 0);
  expect(leftOut).toEqual([5]);
  expect(it.taken).toEqual(Array.from({ length: mebi }, (_, i) => line(i)));
});

test('a flush ends when the lines are written', async () => {
  const { lines, it } = descriptor(0);
  lines.write('a\n');
  const flushed = new Promise<void>((resolve) => lines.flush(resolve));
  it.room = 2;
  await flushed;
  expect(it.text()).toBe('a\n');
});

test('a flush ends although nothing is taken', async () => {
  const { lines, it } = descriptor(0);
  lines.write('a\n');
  await new Promise<void>((resolve) => lines.flush(resolve));
  expect(it.text()).toBe('');
});

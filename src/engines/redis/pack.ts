import type { Argument } from './connection.ts';

/** First bytes of MessagePack: an array and a text, whose length follows in four bytes, and a double. */
const kinds = { array: 0xdd, text: 0xdb, double: 0xcb };
const headBytes = 5;
const numberBytes = 9;
/** Longer texts are written by one call of native code, which costs as much as this many turns of a loop. */
const shortChars = 32;

/**
 * One argument for many: an array of texts and numbers in MessagePack, which scripts unpack. Redis and its client take
 * a time for each argument that is longer than what it takes to write and to read a short one here.
 */
export function pack(args: readonly Argument[]): Buffer {
  const packed = Buffer.allocUnsafe(args.reduce((sum: number, arg) => sum + bytesAtMost(arg), headBytes));
  let at = writeHead(packed, 0, kinds.array, args.length);
  for (const arg of args) {
    if (typeof arg === 'number') {
      packed[at] = kinds.double;
      at = packed.writeDoubleBE(arg, at + 1);
      continue;
    }
    const from = at + headBytes;
    const end = typeof arg === 'string' ? writeText(packed, from, arg) : from + arg.copy(packed, from);
    writeHead(packed, at, kinds.text, end - from);
    at = end;
  }
  return packed.subarray(0, at);
}

function bytesAtMost(arg: Argument): number {
  if (typeof arg === 'number') return numberBytes;
  // A UTF-16 unit has three bytes of UTF-8 at most.
  return headBytes + (typeof arg === 'string' ? 3 : 1) * arg.length;
}

function writeHead(packed: Buffer, at: number, kind: number, length: number): number {
  packed[at] = kind;
  return packed.writeUInt32BE(length, at + 1);
}

/** Returns where it ends. */
function writeText(packed: Buffer, from: number, text: string): number {
  if (text.length > shortChars) return from + packed.write(text, from);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return from + packed.write(text, from);
    packed[from + i] = unit;
  }
  return from + text.length;
}

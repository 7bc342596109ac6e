import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NameTable, nameText } from '../../../src/protocol/json/name-table.ts';
import { utf8 } from '../../../src/protocol/utf8.ts';

/** The names as JSON has them, one after the other, and where each is. */
function written(names: readonly string[]): { bytes: Uint8Array; spans: (readonly [number, number])[] } {
  const parts = names.map((name) => utf8(`"${name}"`));
  const spans: (readonly [number, number])[] = [];
  let at = 0;
  for (const { length } of parts) {
    spans.push([at + 1, at + length - 1]);
    at += length;
  }
  return { bytes: Buffer.concat(parts), spans };
}

/** Which of the names are new, by the table. */
function added(names: readonly string[], table?: (bytes: Uint8Array) => NameTable): boolean[] {
  const { bytes, spans } = written(names);
  const used = table?.(bytes) ?? new NameTable(bytes);
  return spans.map(([start, end]) => used.add(start, end));
}

/** Which of the names are new, by their texts. */
function expected(names: readonly string[]): boolean[] {
  const seen = new Set<string>();
  return names.map((name) => {
    const { size } = seen;
    return seen.add(JSON.parse(`"${name}"`)).size > size;
  });
}

const piece = fc.constantFrom(
  ...[
    'a',
    'b',
    'ü',
    '€',
    '😀',
    '\\u0061',
    '\\u0041',
    '\\u00fc',
    '\\u20AC',
    '\\ud83d\\ude00',
    '\\ud83d',
    '\\ude00',
  ],
  ...['\\n', '\\u000a', '\\b', '\\f', '\\r', '\\t', '\\u0009', '\\/', '/', '\\\\', '\\"', '\\u0022', '0'],
);
const name = fc.array(piece, { maxLength: 3 }).map((pieces) => pieces.join(''));

describe('the table of names', () => {
  it('finds the names that occur twice, whatever their escapes', () => {
    fc.assert(
      fc.property(fc.array(name, { maxLength: 60 }), (names) => {
        expect(added(names)).toEqual(expected(names));
      }),
      { numRuns: 500 },
    );
  });

  it.each([63, 64, 65, 1000])('grows: %d names, each of them found again', (count) => {
    const names = Array.from({ length: count }, (_, i) => `name${i}`);
    expect(added([...names, ...names])).toEqual([...names.map(() => true), ...names.map(() => false)]);
  });

  it.each([10, 3000])('is used again after %d names of another object', (count) => {
    const names = Array.from({ length: count }, (_, i) => `name${i}`);
    const { bytes, spans } = written(names);
    const table = new NameTable(bytes);
    for (const [start, end] of spans) table.add(start, end);
    table.clear();
    expect(spans.map(([start, end]) => table.add(start, end))).toEqual(names.map(() => true));
    expect(spans.map(([start, end]) => table.add(start, end))).toEqual(names.map(() => false));
  });

  it('reads the text of a name', () => {
    const { bytes, spans } = written(['a\\u0062', 'plain ü']);
    expect(spans.map(([start, end]) => nameText(bytes, start, end))).toEqual(['ab', 'plain ü']);
  });

  it('works with names that collide, of which it makes a set', () => {
    // All in one slot: by a hash that is always the same.
    const names = Array.from({ length: 500 }, (_, i) => `name${i}`);
    const colliding = (bytes: Uint8Array) => new NameTable(bytes, () => 7);
    expect(added([...names, ...names], colliding)).toEqual([
      ...names.map(() => true),
      ...names.map(() => false),
    ]);
  });
});

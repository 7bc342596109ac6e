import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ShortTexts } from '../../../src/protocol/json/short-texts.ts';
import { toWellFormed, utf8 } from '../../../src/protocol/utf8.ts';

describe('short texts', () => {
  test('are what decoding gives, however alike those before were', () => {
    const text = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.string({ unit: fc.constantFrom('a', 'b', 'ü', '€') }),
    );
    fc.assert(
      fc.property(fc.array(text, { maxLength: 50 }), (all) => {
        const texts = new ShortTexts();
        for (const each of [...all, ...all]) {
          const bytes = utf8(`<${each}>`);
          expect(texts.decode(bytes, 1, bytes.length - 1)).toBe(toWellFormed(each));
        }
      }),
    );
  });

  test.each([1, 32, 33])('of %d characters come back', (length) => {
    const texts = new ShortTexts();
    const bytes = utf8('x'.repeat(length));
    expect([texts.decode(bytes, 0, length), texts.decode(bytes, 0, length)]).toEqual([
      'x'.repeat(length),
      'x'.repeat(length),
    ]);
  });
});

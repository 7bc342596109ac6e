import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/protocol/utf8.ts';
import { IdentifiedEvent } from '../../src/transport/identified-event.ts';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

describe('an event with ids of its receivers', () => {
  test('is the same bytes for all whose ids differ in their ends only, and has the end of the last one', () => {
    const event = new IdentifiedEvent(utf8('data: ü\n\n'));
    const first = event.withId('e.1', utf8('@a\n'));
    expect(text(first)).toBe('id: e.1@a\ndata: ü\n\n');
    const second = event.withId('e.1', utf8('@b\n'));
    expect(text(second)).toBe('id: e.1@b\ndata: ü\n\n');
    expect(second).toBe(first);
  });

  test('takes ids of any length one after the other, or none', () => {
    const event = new IdentifiedEvent(utf8('data: 1\n\n'));
    expect(text(event.withoutId)).toBe('data: 1\n\n');
    for (const [start, end] of [
      ['e.1', '@a\n'],
      ['e.2', '@a\n'],
      ['e.2~key.1', '@longer\n'],
      ['e.2~key.1', '@a\n'],
      ['', '\n'],
    ] as const) {
      expect(text(event.withId(start, utf8(end)))).toBe(`id: ${start}${end}data: 1\n\n`);
      expect(text(event.withoutId)).toBe('data: 1\n\n');
    }
  });
});

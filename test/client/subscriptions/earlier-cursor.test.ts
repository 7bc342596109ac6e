import { expect, it } from 'vitest';
import { earlierCursor } from '../../../src/client/subscriptions/extras/earlier-cursor.ts';
import { type Cursor, cursorNow, formatCursor, parseCursor } from '../../../src/topics/cursor.ts';

const at = (seq: number, lacksValues = false) => cursorNow({ epoch: 'e-1', seq }, lacksValues);

function stream(seq: number, ...exceptions: readonly number[]): string {
  const keys = exceptions.map((each, i) => [`abcdefg${i}`, { seq: each, lacksValues: i > 0 }] as const);
  const id = { session: 'a1-b', subscriptions: 'zzzzzzzz' };
  return formatCursor({ epoch: 'e-1', seq, lacksValues: false, exceptions: new Map(keys), stream: id });
}

it.each([
  [at(36), at(35), at(35)],
  [at(35), at(36), at(35)],
  [at(2 ** 50), at(2 ** 49), at(2 ** 49)],
  [at(36, true), at(35), at(35, true)],
  [at(36), at(35, true), at(35)],
  [stream(40, 3, 38), at(36), stream(36, 3, 36)],
  [stream(36, 3, 30), at(40), stream(36, 3, 30)],
  // Of another numbering it is not known which says more.
  [at(36), cursorNow({ epoch: 'f', seq: 35 }), at(36)],
  [at(36), stream(35, 3), at(36)],
  ['c1', 'c0', 'c1'],
])('of the gateway’s cursors %s and %s it makes %s', (cursor, other, earlier) => {
  expect(earlierCursor(cursor, other)).toBe(earlier);
});

it('makes a cursor that a gateway reads', () => {
  const { exceptions, ...rest } = parseCursor(earlierCursor(stream(40, 3, 38), at(36))) as Cursor;
  expect(rest).toMatchObject({ epoch: 'e-1', seq: 36, stream: { subscriptions: 'zzzzzzzz' } });
  expect([...(exceptions?.values() ?? [])].map(({ seq }) => seq)).toEqual([3, 36]);
});

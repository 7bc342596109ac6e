import { expect, it } from 'vitest';
import { isLaterCursor } from '../../../src/client/subscriptions/extras/later-cursor.ts';
import { cursorNow, formatCursor } from '../../../src/topics/cursor.ts';

const at = (seq: number, epoch = 'e-1') => cursorNow({ epoch, seq });

it.each([
  [at(36), at(35), true],
  [at(35), at(36), false],
  [at(35), at(35), false],
  [at(2 ** 50), at(2 ** 49), true],
  [at(36, 'f'), at(35), false],
  // These say less of some topics.
  [cursorNow({ epoch: 'e-1', seq: 36 }, true), at(35), false],
  [
    formatCursor({
      ...{ epoch: 'e-1', seq: 36, lacksValues: false },
      exceptions: new Map([['abcdefgh', { seq: 3, lacksValues: false }]]),
    }),
    at(35),
    false,
  ],
  ['c1', 'c0', false],
])('of the gateway’s cursors, %s is known to be later than %s: %s', (cursor, other, isLater) => {
  expect(isLaterCursor(cursor, other)).toBe(isLater);
});

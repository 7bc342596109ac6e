import { describe, expect, test } from 'vitest';
import { differences } from '../../bench/state/judge.ts';
import { Mirror } from '../../bench/state/mirror.ts';
import { matches, wishes } from '../../bench/state/plan.ts';

const value = (n: number) => ({ n, tags: {} });
const set = (offset: number, key: string, more: object = {}) => ({
  offset,
  key,
  data: { n: offset },
  ...more,
});

/** A subscription to `s:a1`, which held two values. */
function mirror(comparesOffsets = true): Mirror {
  const made = new Mirror({ topic: 's:a1' }, comparesOffsets);
  made.subscribed({ type: '', topic: 's:a1', epoch: 'E', offset: 2 }, true);
  made.take({ type: 'snapshot', epoch: 'E', offset: 2, first: true, messages: [set(1, 'a')] });
  made.take({ type: 'snapshot', epoch: 'E', offset: 2, last: true, messages: [set(2, 'b')] });
  return made;
}
const shownBy = (made: Mirror) => Object.fromEntries(made.values('s:a1'));

describe('what a subscription shows', () => {
  test('is what snapshots and batches say, each publication once', () => {
    const made = mirror();
    made.take({ type: 'batch', after: 1, upto: 4, messages: [set(2, 'c'), set(3, 'a', { removed: true })] });
    expect(shownBy(made)).toEqual({ b: 2 });
    expect([made.since, made.problems]).toEqual([{ since: { epoch: 'E', offset: 4 } }, []]);
  });

  test('of a client that compares no offsets is all that comes', () => {
    const made = mirror(false);
    made.take({ type: 'batch', after: 1, upto: 2, messages: [set(2, 'c')] });
    expect(shownBy(made)).toEqual({ a: 1, b: 2, c: 2 });
  });

  test('is nothing of a snapshot that was cut, and the subscription begins anew', () => {
    const made = new Mirror({ topic: 's:a1' }, true);
    made.subscribed({ type: '', topic: 's:a1', epoch: 'E', offset: 2 }, true);
    made.take({ type: 'snapshot', epoch: 'E', offset: 2, first: true, messages: [set(1, 'a')] });
    made.cut();
    expect([shownBy(made), made.since]).toEqual([{}, {}]);
    made.take({ type: 'snapshot', epoch: 'E', offset: 2, last: true, messages: [set(2, 'b')] });
    expect(made.problems).toEqual(['a snapshot of s:a1 without its beginning']);
  });

  test('is nothing of another numbering', () => {
    const made = mirror();
    made.take({ type: 'reset', epoch: 'F', offset: 0 });
    expect(shownBy(made)).toEqual({});
  });
});

test('the judge names what is missing, what is wrong, and what should be gone', () => {
  const shown = new Map(Object.entries({ a: 1, b: 5, d: 4 }));
  const wanted = new Map(Object.entries({ a: value(1), b: value(2), c: value(3) }));
  expect(differences(shown, wanted)).toEqual(['b is 5, not 2', 'c is missing (3)', 'd is there still (4)']);
});

test('a filter of the judge takes what the gateway should', () => {
  const wish = wishes.flat().find(({ topic, filter }) => topic === 's:a*' && filter !== undefined)!;
  const taken = ([{ load: '7' }, { load: '3' }, { alarm: 'yes' }, {}] as Record<string, string>[]).map(
    (tags) => matches(wish, 'k', { n: 1, tags }),
  );
  expect(taken).toEqual([true, false, true, false]);
});

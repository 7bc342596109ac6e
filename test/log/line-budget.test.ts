import { expect, test } from 'vitest';
import { LineBudget } from '../../src/log/line-budget.ts';

test('logs some lines of each kind at once, then one per interval, which says how many were left out', () => {
  let nowMs = 0;
  const budget = new LineBudget({ linesAtOnce: 2, everyMs: 1000 }, () => nowMs);
  expect([budget.take('a'), budget.take('a')]).toEqual([{}, {}]);
  expect([budget.take('a'), budget.take('a')]).toEqual([undefined, undefined]);
  expect(budget.take('b')).toEqual({});
  nowMs += 999;
  expect(budget.take('a')).toBeUndefined();
  nowMs += 1;
  expect(budget.take('a')).toEqual({ unlogged: 3 });
  expect(budget.take('a')).toBeUndefined();
  nowMs += 3_600_000;
  expect([budget.take('a'), budget.take('a'), budget.take('a')]).toEqual([{ unlogged: 1 }, {}, undefined]);
});

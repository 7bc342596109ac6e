import { expect, test } from 'vitest';
import { ClockWatch } from '../../src/server/clock-watch.ts';

test('a wall clock that is set is logged once, by how much and in which direction; one that is slewed is not', () => {
  const lines: unknown[][] = [];
  const clock = { wallMs: 1_000_000, monotonicMs: 0 };
  const watch = new ClockWatch(
    { warn: ((...line: unknown[]) => lines.push(line)) as never },
    () => clock.wallMs,
    () => clock.monotonicMs,
  );
  const second = (stepMs: number) => {
    clock.wallMs += 1000 + stepMs;
    clock.monotonicMs += 1000;
    watch.sweep();
    return lines.splice(0);
  };
  expect([...second(0), ...second(999), ...second(-999)]).toEqual([]);
  expect(second(7_200_000)).toEqual([[{ seconds: 7200 }, expect.stringContaining('set forward')]]);
  expect(second(0)).toEqual([]);
  expect(second(-1000)).toEqual([[{ seconds: -1 }, expect.stringContaining('set back')]]);
});

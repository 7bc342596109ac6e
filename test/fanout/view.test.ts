import { describe, expect, test } from 'vitest';
import { isSameDelivery, type ViewOptions, viewKey, viewKeys } from '../../src/fanout/view-options.ts';
import { intervalLadderMs, snapInterval } from '../../src/protocol/selection-key.ts';
import { compileFilter } from '../../src/topics/filter.ts';
import { codecs } from '../support/codecs.ts';
import { viewOptions } from './fixtures.ts';

describe('intervals', () => {
  test.each([
    [-1, 0],
    [0, 0],
    [1, 50],
    [60_000, 60_000],
    [60_001, 60_000],
    [1e12, 60_000],
  ])('an interval of %i ms gets %i ms', (wanted, granted) => {
    expect(snapInterval(wanted)).toBe(granted);
  });

  test.each(intervalLadderMs.map((step, i) => [step, intervalLadderMs[i + 1] ?? step] as const))(
    'the step of %i ms is granted as it is; a millisecond more gets %i ms',
    (step, next) => {
      expect([snapInterval(step - 1), snapInterval(step), snapInterval(step + 1)]).toEqual([
        step,
        step,
        next,
      ]);
    },
  );
});

describe('the key of a view', () => {
  const base = viewOptions('t');

  test('is the same for equal subscriptions, however a filter is written', () => {
    const one = compileFilter({ op: 'in', tag: 'a', values: ['2', '1'] });
    const other = compileFilter({
      op: 'not',
      filters: [{ op: 'not', filters: [{ op: 'in', tag: 'a', values: ['1', '2'] }] }],
    });
    expect(viewKey({ ...base, filter: one })).toBe(viewKey({ ...base, filter: other }));
    expect(isSameDelivery({ ...base, filter: one }, { ...base, filter: other })).toBe(true);
  });

  test.each<[string, Partial<ViewOptions>]>([
    ['target', { target: 't*' }],
    ['codec', { codec: codecs.json }],
    ['filter', { filter: compileFilter({ op: 'exists', tag: 'a' }) }],
    ['interval', { intervalMs: 50 }],
    ['conflation', { conflate: true }],
    ['keys', { keys: viewKeys(['a']) }],
  ])('differs with the %s', (_, change) => {
    expect(viewKey({ ...base, ...change })).not.toBe(viewKey(base));
    expect(isSameDelivery({ ...base, ...change }, base)).toBe(false);
  });

  test.each<[string, (more: string) => Partial<ViewOptions>]>([
    ['keys', (more) => ({ keys: viewKeys(['k'.repeat(1000), more]) })],
    [
      'a filter',
      (more) => ({ filter: compileFilter({ op: 'eq', tag: 'a', value: 'v'.repeat(900) + more }) }),
    ],
  ])('is short, however long %s it has, and differs with their ends', (_, long) => {
    const [one, equal, other] = ['a', 'a', 'b'].map((more) => viewKey({ ...base, ...long(more) }));
    expect(one?.length).toBeLessThanOrEqual(300);
    expect(one).toBe(equal);
    expect(one).not.toBe(other);
  });
});

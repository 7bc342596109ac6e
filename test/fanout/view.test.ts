import { describe, expect, test } from 'vitest';
import { View } from '../../src/fanout/view.ts';
import { type ViewOptions, viewKey } from '../../src/fanout/view-options.ts';
import { codecs } from '../../src/protocol/codecs.ts';
import { intervalLadderMs, snapInterval } from '../../src/protocol/selection-key.ts';
import { compileFilter } from '../../src/topics/filter.ts';
import { SegmentPool } from '../../src/topics/segment-pool.ts';
import { Topic } from '../../src/topics/topic.ts';
import { defaultTopic } from '../topics/fixtures.ts';
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
  });

  test.each<[string, Partial<ViewOptions>]>([
    ['target', { target: 't*' }],
    ['codec', { codec: codecs.json }],
    ['filter', { filter: compileFilter({ op: 'exists', tag: 'a' }) }],
    ['interval', { intervalMs: 50 }],
    ['conflation', { conflate: true }],
  ])('differs with the %s', (_, change) => {
    expect(viewKey({ ...base, ...change })).not.toBe(viewKey(base));
  });
});

describe('the commit up to which members of a pattern have everything', () => {
  const newest = 50;
  const segments = new SegmentPool();

  function watched() {
    const view = new View(1, viewOptions('*'));
    const feedOf = (name: string) =>
      view.addFeed(new Topic(name, defaultTopic, segments, () => undefined, 0));
    return { view, a: feedOf('a'), b: feedOf('b'), c: feedOf('c') };
  }

  test('is before the earliest that a topic waits from', () => {
    const { view, a, b } = watched();
    expect(view.sentSeq(newest)).toBe(newest);
    view.lacks(a, 10);
    view.lacks(b, 20);
    view.lacks(a, 30);
    expect(view.sentSeq(newest)).toBe(9);
    view.lacksNothing(a);
    expect(view.sentSeq(newest)).toBe(19);
    view.removeFeed(b);
    expect(view.sentSeq(newest)).toBe(newest);
  });

  test('is so, too, when one of them begins anew while it waits', () => {
    const { view, a, b } = watched();
    view.lacks(a, 10);
    view.lacks(b, 20);
    view.lacksAnew(a, 40);
    expect(view.sentSeq(newest)).toBeLessThan(20);
    view.lacksNothing(a);
    expect(view.sentSeq(newest)).toBe(19);
  });

  test('is before the last of one that begins anew, which may be older than what others wait from', () => {
    const { view, a, b, c } = watched();
    view.lacks(b, 20);
    view.lacksAnew(a, 10);
    view.lacksAnew(c, 5);
    expect(view.sentSeq(newest)).toBe(4);
    view.removeFeed(c);
    expect(view.sentSeq(newest)).toBeLessThan(10);
    view.lacksNothing(a);
    expect(view.sentSeq(newest)).toBe(19);
  });
});

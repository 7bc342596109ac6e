import { describe, expect, it } from 'vitest';
import { aloneIn, Series } from '../../src/web/series.ts';

describe('Series', () => {
  it('keeps samples in the order of their time, whenever they come', () => {
    const series = new Series(2, 300);
    series.add(10, [1, 2]);
    series.add(12, [5, undefined]);
    series.add(11, [3, 4]);
    expect(series.data()).toEqual([
      [10, 11, 12],
      [1, 3, 5],
      [2, 4, null],
    ]);
  });

  it('takes a sample once that comes live and by history', () => {
    const series = new Series(1, 300);
    for (const seconds of [10, 11, 10, 11]) series.add(seconds, [seconds]);
    expect(series.data()).toEqual([
      [10, 11],
      [10, 11],
    ]);
  });

  it('has samples without a listener, which the chart shows as points', () => {
    expect([[5], [5, 6], [5, null, 6, 7, null, 8], [null, 5], []].map(aloneIn)).toEqual([
      [0],
      [],
      [0, 5],
      [1],
      [],
    ]);
  });

  it('forgets what is older than it keeps', () => {
    const series = new Series(1, 10);
    for (const seconds of [1, 5, 14]) series.add(seconds, [seconds]);
    expect(series.data()[0]).toEqual([5, 14]);
  });

  it('draws no line over a time of which nothing is known', () => {
    const series = new Series(1, 300);
    series.add(10, [1]);
    series.add(60, [2]);
    expect(series.data()[1]).toEqual([1, null, 2]);
  });
});

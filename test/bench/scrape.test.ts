import { expect, test } from 'vitest';
import { Scrape } from '../../bench/support/scrape.ts';

const text = (fast: number, slow: number) => `# HELP some_seconds What it takes.
# TYPE some_seconds histogram
some_seconds_bucket{le="0.001"} ${fast}
some_seconds_bucket{le="0.01"} ${fast + slow}
some_seconds_bucket{le="+Inf"} ${fast + slow}
some_seconds_sum ${fast * 0.0005 + slow * 0.005}
some_seconds_count ${fast + slow}
connections{transport="websocket"} 3
connections{transport="sse"} 4
connections_total 5
`;

test('sums a metric over its labels, and takes no other for it', () => {
  expect(new Scrape(text(1, 1)).value('connections')).toBe(7);
  expect(new Scrape(text(1, 1)).value('nothing')).toBe(0);
});

test('tells what came between two scrapes', () => {
  const between = new Scrape(text(5, 15))
    .histogram('some_seconds')
    .since(new Scrape(text(5, 5)).histogram('some_seconds'));
  expect(between.count).toBe(10);
  expect(between.mean).toBeCloseTo(0.005);
  expect(between.quantile(0.5)).toBe(0.01);
});

test('counts the buckets between two values', () => {
  const histogram = new Scrape(text(1, 1)).histogram('some_seconds');
  expect(histogram.quantile(0.5)).toBe(0.001);
  expect(histogram.distance(0.0002, 0.0009)).toBe(0);
  expect(histogram.distance(0.0009, 0.004)).toBe(1);
  expect(histogram.distance(0.0009, 4)).toBe(2);
});

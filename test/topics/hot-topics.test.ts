import { expect, test } from 'vitest';
import { HotTopics } from '../../src/topics/hot-topics.ts';

function counted() {
  const clock = { nowMs: 0 };
  const topics = new HotTopics(() => clock.nowMs);
  const pass = (ms: number) => {
    clock.nowMs += ms;
    topics.sweep();
  };
  return { topics, pass };
}

test('tells the rates of the last whole window, the highest first', () => {
  const { topics, pass } = counted();
  topics.appended('slow', 20);
  for (let i = 0; i < 10; i++) topics.appended('hot', 100);
  pass(9_999);
  expect(topics.hottest(10)).toEqual({});
  pass(1);
  expect(Object.entries(topics.hottest(10))).toEqual([
    ['hot', 100],
    ['slow', 2],
  ]);
  expect(topics.hottest(1)).toEqual({ hot: 100 });
  topics.appended('slow', 40);
  pass(20_000);
  expect(topics.hottest(10)).toEqual({ slow: 2 });
});

test('remembers no more than a thousand topics, and the hottest among them', () => {
  const { topics, pass } = counted();
  for (let i = 0; i < 20_000; i++) {
    topics.appended(`cold-${i}`, 1);
    topics.appended('hot', 10);
  }
  pass(10_000);
  const all = Object.keys(topics.hottest(20_000));
  expect(all.length).toBeLessThanOrEqual(1000);
  expect(all[0]).toBe('hot');
});

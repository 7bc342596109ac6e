import { describe, expect, test } from 'vitest';
import { UnsentFeeds } from '../../src/fanout/unsent-feeds.ts';

describe('the commit up to which members of a pattern have everything', () => {
  const newest = 50;

  test('is before the earliest that a topic waits from', () => {
    const unsent = new UnsentFeeds<string>();
    expect(unsent.sentSeq(newest)).toBe(newest);
    unsent.add('a', 10);
    unsent.add('b', 20);
    unsent.add('a', 30);
    expect(unsent.sentSeq(newest)).toBe(9);
    unsent.delete('a');
    expect(unsent.sentSeq(newest)).toBe(19);
    unsent.delete('b');
    expect(unsent.sentSeq(newest)).toBe(newest);
  });

  test('is so, too, when one of them begins anew while it waits', () => {
    const unsent = new UnsentFeeds<string>();
    unsent.add('a', 10);
    unsent.add('b', 20);
    unsent.addAnew('a', 40);
    expect(unsent.sentSeq(newest)).toBeLessThan(20);
    unsent.delete('a');
    expect(unsent.sentSeq(newest)).toBe(19);
  });

  test('is before the last of one that begins anew, which may be older than what others wait from', () => {
    const unsent = new UnsentFeeds<string>();
    unsent.add('b', 20);
    unsent.addAnew('a', 10);
    unsent.addAnew('c', 5);
    expect(unsent.sentSeq(newest)).toBe(4);
    unsent.delete('c');
    expect(unsent.sentSeq(newest)).toBeLessThan(10);
    unsent.delete('a');
    expect(unsent.sentSeq(newest)).toBe(19);
  });
});

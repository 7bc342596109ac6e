import { describe, expect, test } from 'vitest';
import { groupBy } from '../src/group-by.ts';

describe('groups by key', () => {
  test('keys and items: in the order in which they came, undefined is a key', () => {
    const items = [3, 1, 5, 2, 4];
    const keyOf = (item: number) => (item === 5 ? undefined : item % 2);
    expect([...groupBy(items, keyOf)]).toEqual([
      [1, [3, 1]],
      [undefined, [5]],
      [0, [2, 4]],
    ]);
    expect(groupBy([], keyOf).size).toBe(0);
  });

  test('one group of 1000: no item is copied again when others are added', () => {
    const items = Array.from({ length: 1000 }, (_, i) => i);
    const iterator = Array.prototype[Symbol.iterator];
    let read = 0;
    Array.prototype[Symbol.iterator] = function (this: readonly unknown[]) {
      read += this.length;
      return iterator.call(this);
    };
    const groups = groupBy(items, () => 'all');
    Array.prototype[Symbol.iterator] = iterator;
    expect(groups.get('all')).toEqual(items);
    expect(read).toBe(items.length);
  });
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LinkedMap } from '../../src/topics/linked-map.ts';

test('an empty map has no oldest entry', () => {
  const map = new LinkedMap<string, number>();
  expect([map.oldest, map.size, map.get('a')]).toEqual([undefined, 0, undefined]);
});

test('setting makes an entry the newest, though it was here', () => {
  const map = new LinkedMap<string, number>();
  map.set('a', 1);
  map.set('b', 2);
  map.set('a', 3);
  expect([map.oldest, map.get('a'), map.size]).toMatchObject([{ key: 'b', value: 2 }, 3, 2]);
});

test('finds what a plain map would iterate to first, whatever is set and deleted', () => {
  const step = fc.tuple(fc.boolean(), fc.nat(8), fc.nat());
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const map = new LinkedMap<number, number>();
      const plain = new Map<number, number>();
      for (const [isSet, key, value] of steps) {
        plain.delete(key);
        if (isSet) {
          plain.set(key, value);
          map.set(key, value);
        } else {
          map.delete(key);
        }
        const [oldest] = plain;
        expect([map.oldest?.key, map.oldest?.value]).toEqual(oldest ?? [undefined, undefined]);
        expect([map.size, map.get(key)]).toEqual([plain.size, plain.get(key)]);
      }
    }),
  );
});

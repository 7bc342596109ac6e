import { describe, expect, it } from 'vitest';
import { ReceivedPublication } from '../../../src/client/publication.ts';
import { LiveMap } from '../../../src/client/subscriptions/live-map.ts';
import { publication } from '../support/fakes.ts';

const received = (offset: number, key: string, removed = false) =>
  new ReceivedPublication('t', publication(offset, offset, { key, removed }));
const keys = (map: LiveMap) => [...map.entries].map(([key, { data }]) => [key, data]);

describe('LiveMap', () => {
  it('keeps the newest publication of each key', () => {
    const map = new LiveMap();
    map.apply([received(1, 'a'), received(2, 'b'), received(3, 'a')]);
    expect(keys(map)).toEqual([
      ['a', 3],
      ['b', 2],
    ]);
  });

  it('deletes a key that was removed', () => {
    const map = new LiveMap();
    map.apply([received(1, 'a'), received(2, 'a', true)]);
    expect(map.entries.size).toBe(0);
  });

  it('is replaced by a snapshot once its last page has come, and not before', () => {
    const map = new LiveMap();
    map.apply([received(1, 'old')]);
    expect(map.page([received(2, 'a')], { first: true, last: false })).toBe(false);
    expect(keys(map)).toEqual([['old', 1]]);
    expect(map.page([received(3, 'b')], { first: false, last: true })).toBe(true);
    expect(keys(map)).toEqual([
      ['a', 2],
      ['b', 3],
    ]);
  });

  it('ignores the end of a snapshot whose beginning it never saw', () => {
    const map = new LiveMap();
    map.apply([received(1, 'old')]);
    expect(map.page([received(3, 'b')], { first: false, last: true })).toBe(false);
    expect(keys(map)).toEqual([['old', 1]]);
  });

  it('takes an empty snapshot for an empty topic', () => {
    const map = new LiveMap();
    map.apply([received(1, 'old')]);
    expect(map.page([], { first: true, last: true })).toBe(true);
    expect(map.entries.size).toBe(0);
  });
});

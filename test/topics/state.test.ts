import { describe, expect, test } from 'vitest';
import { Expiries } from '../../src/topics/expiries.ts';
import { State, valueBytesOf } from '../../src/topics/state.ts';
import { json, stored } from './fixtures.ts';

function keys(state: State): (string | undefined)[] {
  return [...state.values()].map(({ key }) => key);
}

describe('state', () => {
  test('keeps the newest publication of each key', () => {
    const state = new State();
    state.apply(stored(1, { key: 'a' }));
    state.apply(stored(2, { key: 'b' }));
    state.apply(stored(3, { key: 'a' }));
    expect([state.size, state.get('a')?.offset, state.get('b')?.offset]).toEqual([2, 3, 2]);
  });

  test('tells the longest unchanged key first', () => {
    const state = new State();
    for (const [offset, key] of [
      [1, 'a'],
      [2, 'b'],
      [3, 'a'],
    ] as const)
      state.apply(stored(offset, { key }));
    expect(keys(state)).toEqual(['b', 'a']);
  });

  test('a publication without a key has the key ""', () => {
    const state = new State();
    state.apply(stored(1));
    state.apply(stored(2, { key: '' }));
    expect([state.size, state.get('')?.offset]).toEqual([1, 2]);
  });

  test('a removal drops the key, also of one that is not there', () => {
    const state = new State();
    state.apply(stored(1, { key: 'a' }));
    state.apply(stored(2, { key: 'a', removed: true }));
    state.apply(stored(3, { key: 'b', removed: true }));
    expect([state.size, state.bytes]).toEqual([0, 0]);
  });

  test('counts the bytes of what it holds, and of nothing else', () => {
    const state = new State();
    const large = stored(1, { key: 'a', payload: json('x'.repeat(100)) });
    const small = stored(2, { key: 'a' });
    state.apply(large);
    expect(state.bytes).toBe(valueBytesOf(large.bytes));
    state.apply(small);
    expect(state.bytes).toBe(valueBytesOf(small.bytes));
    state.clear();
    expect([state.size, state.bytes]).toEqual([0, 0]);
  });

  test('tells each expired value once, the soonest first, and not before its time', () => {
    const state = new State();
    state.apply(stored(1, { key: 'late', ttlMs: 200 }, 1000));
    state.apply(stored(2, { key: 'soon', ttlMs: 100 }, 1000));
    state.apply(stored(3, { key: 'never' }, 1000));
    const expired = (nowMs: number) => state.takeExpired(nowMs).map(({ key }) => key);
    expect([expired(1099), expired(1100), expired(1100), expired(9999), expired(9999)]).toEqual([
      [],
      ['soon'],
      [],
      ['late'],
      [],
    ]);
    expect(state.size).toBe(3);
  });

  test('what was replaced, removed or cleared does not expire', () => {
    const expiries = new Expiries();
    const state = new State(expiries);
    for (const [offset, key] of ['replaced', 'renewed', 'removed', 'deleted'].entries())
      state.apply(stored(offset + 1, { key, ttlMs: 1 }));
    state.apply(stored(5, { key: 'replaced' }));
    state.apply(stored(6, { key: 'renewed', ttlMs: 100 }));
    state.apply(stored(7, { key: 'removed', removed: true }));
    state.delete('deleted');
    expect(state.takeExpired(99)).toEqual([]);
    expect(state.takeExpired(100).map(({ key }) => key)).toEqual(['renewed']);
    state.apply(stored(8, { ttlMs: 1 }));
    state.clear();
    state.apply(stored(8, { ttlMs: 2000 }));
    expect([state.takeExpired(1000), expiries.size]).toEqual([[], 1]);
  });

  test('an expired value that could not be removed is told again, unless another took its place', () => {
    const state = new State();
    for (const [offset, key] of ['a', 'b'].entries()) state.apply(stored(offset + 1, { key, ttlMs: 1 }));
    const expired = state.takeExpired(1);
    state.apply(stored(3, { key: 'b' }));
    for (const publication of expired) state.expireAgain(publication);
    expect([state.takeExpired(0), state.takeExpired(1).map(({ key }) => key)]).toEqual([[], ['a']]);
  });

  test('expiries of values that were replaced or removed are dropped', () => {
    const expiries = new Expiries();
    const state = new State(expiries);
    for (let offset = 1; offset <= 10_000; offset++) state.apply(stored(offset, { key: 'k', ttlMs: 10_000 }));
    expect(expiries.size).toBeLessThanOrEqual(66);
    for (let i = 0; i < 10_000; i++) {
      state.apply(stored(10_001 + 2 * i, { key: `k${i}`, ttlMs: 10_000 }));
      state.apply(stored(10_002 + 2 * i, { key: `k${i}`, removed: true }));
    }
    expect([state.size, expiries.size <= 66]).toEqual([1, true]);
    expect(state.takeExpired(20_000).map(({ offset }) => offset)).toEqual([10_000]);
    expect(expiries.size).toBe(0);
  });

  test('a key that is renewed for ever still expires once', () => {
    const state = new State();
    state.apply(stored(1, { key: 'other', ttlMs: 5 }));
    for (let offset = 2; offset <= 1000; offset++)
      state.apply(stored(offset, { key: 'k', ttlMs: 10 }, offset));
    expect(state.takeExpired(1009).map(({ key }) => key)).toEqual(['other']);
    expect(state.takeExpired(1010).map(({ offset }) => offset)).toEqual([1000]);
  });
});

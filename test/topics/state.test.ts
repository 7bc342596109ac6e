import { describe, expect, test } from 'vitest';
import { State } from '../../src/topics/state.ts';
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

  test('a removal lets go of the key, also of one that is not there', () => {
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
    expect(state.bytes).toBe(large.bytes);
    state.apply(small);
    expect(state.bytes).toBe(small.bytes);
    state.clear();
    expect([state.size, state.bytes]).toEqual([0, 0]);
  });

  test('knows which keys it has', () => {
    const state = new State();
    state.apply(stored(1, { key: 'a' }));
    expect([state.has('a'), state.has('b')]).toEqual([true, false]);
  });
});

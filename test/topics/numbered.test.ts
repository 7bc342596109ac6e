import { describe, expect, it } from 'vitest';
import { Numbered } from '../../src/topics/numbered.ts';
import { loadedAnew, outlivingShare } from '../support/memory.ts';

describe('numbered objects', () => {
  it('have the number that was given back last', () => {
    const numbered = new Numbered<string>();
    expect([numbered.add('a'), numbered.add('b'), numbered.add('c')]).toEqual([0, 1, 2]);
    expect(numbered.remove(1)).toBe('b');
    expect(numbered.add('d')).toBe(1);
    expect([0, 1, 2].map((number) => numbered.get(number))).toEqual(['a', 'd', 'c']);
  });

  it('are all removed at once', () => {
    const numbered = new Numbered<string>();
    numbered.add('a');
    numbered.remove(numbered.add('b'));
    numbered.add('c');
    expect(numbered.removeAll()).toEqual(['a', 'c']);
    expect(numbered.removeAll()).toEqual([]);
    expect(numbered.add('d')).toBe(0);
  });

  it('are collected by scavenges once they are removed', async () => {
    const loaded = await loadedAnew(() => import('../../src/topics/numbered.ts'));
    const numbered = new loaded.Numbered<string>();
    expect(outlivingShare((object) => numbered.remove(numbered.add(object)))).toBeLessThan(0.5);
  });
});

import { expect, test } from 'vitest';
import { comparison, keyed } from '../../bench/support/baseline.ts';
import { atLeast, atMost, marginOf, type Ratio } from '../../bench/support/scenario.ts';

const ratios: Ratio[] = [
  { name: 'CPU', value: 1.5, better: 'lower' },
  { name: 'deliveries', value: 1.5, better: 'higher' },
  { name: 'p50', value: 1.01, better: 'lower' },
  { name: 'unheard of', value: 1, better: 'lower' },
];

test('says of each ratio whether it is better or worse than before', () => {
  const before = { 'fanout: CPU': 1, 'fanout: deliveries': 1, 'fanout: p50': 1 };
  const { rows } = comparison(keyed('fanout', ratios), { ratios: before });
  expect(rows.map((row) => row.at(-1))).toEqual(['worse', 'better', 'same', 'new']);
});

test('tells by how much a target is missed', () => {
  expect(atMost('CPU', 1.3, 1.3, 'x').holds).toBe(true);
  expect(atLeast('deliveries', 0.5, 1, 'x').holds).toBe(false);
  expect(marginOf(atLeast('deliveries', 0.5, 1, 'x').target!)).toBeCloseTo(-0.5);
  expect(marginOf(atMost('CPU', 2, 1, 'x').target!)).toBeCloseTo(-1);
});

test('takes what cannot be measured for missed', () => {
  expect(atMost('CPU', Number.NaN, 1).holds).toBe(false);
});

import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { type Selection, subscriptionKey } from '../../src/protocol/equal-subscriptions.ts';
import type { Filter } from '../../src/protocol/frames.ts';
import { compileFilter } from '../../src/topics/filter.ts';

const a: Filter = { op: 'eq', tag: 'k', value: 'a' };
const b: Filter = { op: 'exists', tag: 'h' };
const c: Filter = { op: 'lt', tag: 'n', number: 0 };
const text = (selection: Partial<Selection>) => subscriptionKey({ topic: 't', ...selection });

describe('equal subscriptions have one text', () => {
  test.each<readonly [string, Partial<Selection>, Partial<Selection>]>([
    ['intervals on one step', { intervalMs: 60 }, { intervalMs: 80 }],
    ['no interval, written or not', {}, { intervalMs: 0 }],
    ['no conflation, written or not', {}, { conflate: false }],
    ['one value', { filter: a }, { filter: { op: 'in', tag: 'k', values: ['a', 'a'] } }],
    [
      'values in another order',
      { filter: { op: 'in', tag: 'k', values: ['a', 'b'] } },
      { filter: { op: 'in', tag: 'k', values: ['b', 'a', 'b'] } },
    ],
    ['one part', { filter: a }, { filter: { op: 'and', filters: [{ op: 'or', filters: [a, a] }] } }],
    [
      'nested parts',
      { filter: { op: 'and', filters: [a, b, c] } },
      { filter: { op: 'and', filters: [c, { op: 'and', filters: [b, a] }] } },
    ],
    ['not not', { filter: a }, { filter: { op: 'not', filters: [{ op: 'not', filters: [a] }] } }],
    ['both zeros', { filter: c }, { filter: { op: 'lt', tag: 'n', number: -0 } }],
  ])('%s', (_, one, other) => {
    expect(text(one)).toBe(text(other));
  });

  test.each<readonly [string, Partial<Selection>, Partial<Selection>]>([
    ['another step', { intervalMs: 50 }, { intervalMs: 51 }],
    ['conflation', {}, { conflate: true }],
    ['another topic', {}, { topic: 'u' }],
    ['a filter', {}, { filter: a }],
    ['not, once', { filter: a }, { filter: { op: 'not', filters: [a] } }],
    ['and for or', { filter: { op: 'and', filters: [a, b] } }, { filter: { op: 'or', filters: [a, b] } }],
    ['an empty part', { filter: a }, { filter: { op: 'and', filters: [a, { op: 'and', filters: [] }] } }],
    ['a not of two', { filter: a }, { filter: { op: 'not', filters: [{ op: 'not', filters: [a, b] }] } }],
  ])('but not with %s', (_, one, other) => {
    expect(text(one)).not.toBe(text(other));
  });
});

it('the gateway compares filters by the same text', () => {
  const values = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 });
  const { filter } = fc.letrec<{ filter: Filter; list: Filter[] }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 3 },
      values.map((all): Filter => ({ op: 'in', tag: 'k', values: all })),
      tie('list').chain((filters) => fc.constantFrom<Filter>({ op: 'and', filters }, { op: 'or', filters })),
      tie('filter').map((inner): Filter => ({ op: 'not', filters: [inner] })),
    ),
    list: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }),
  }));
  fc.assert(
    fc.property(filter, filter, (one, other) => {
      const equal = compileFilter(one).canonical === compileFilter(other).canonical;
      expect(text({ filter: one }) === text({ filter: other })).toBe(equal);
    }),
  );
});

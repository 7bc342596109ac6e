import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { filterMaxDepth, filterMaxNodes } from '../../src/protocol/filter-fields.ts';
import type { Filter, Tags } from '../../src/protocol/frames.ts';
import { compileFilter, filterProblem } from '../../src/topics/filter.ts';

const eq = (tag: string, value: string): Filter => ({ op: 'eq', tag, value });
const not = (filter: Filter): Filter => ({ op: 'not', filters: [filter] });
const and = (...filters: Filter[]): Filter => ({ op: 'and', filters });
const or = (...filters: Filter[]): Filter => ({ op: 'or', filters });
const isIn = (tag: string, ...values: string[]): Filter => ({ op: 'in', tag, values });

const a = eq('a', '1');
const b = eq('b', '2');
const c = eq('c', '3');

function nested(depth: number): Filter {
  let filter: Filter = a;
  for (let i = 1; i < depth; i++) filter = not(filter);
  return filter;
}

/** Written from the specification, without any of the compiler's code. */
function holds(filter: Filter, tags: Tags): boolean {
  const value = 'tag' in filter ? new Map(Object.entries(tags)).get(filter.tag) : undefined;
  switch (filter.op) {
    case 'eq':
      return value === filter.value;
    case 'prefix':
      return value !== undefined && value.slice(0, filter.value.length) === filter.value;
    case 'in':
      return filter.values.some((each) => each === value);
    case 'exists':
      return value !== undefined;
    case 'and':
      return !filter.filters.some((part) => !holds(part, tags));
    case 'or':
      return filter.filters.filter((part) => holds(part, tags)).length > 0;
    case 'not':
      return !holds(filter.filters[0] as Filter, tags);
    default: {
      if (value === undefined || !/^[-+.\d]/.test(value)) return false;
      const number = Number(value);
      if (Number.isNaN(number) || value.trim() !== value || /[xbo]/i.test(value)) return false;
      if (!Number.isFinite(number) && value.includes('I')) return false;
      const order = Math.sign(number - filter.number);
      return { lt: order < 0, lte: order <= 0, gt: order > 0, gte: order >= 0 }[filter.op];
    }
  }
}

const tagName = fc.constantFrom('a', 'b', '__proto__', 'constructor');
const tagValue = fc.constantFrom(
  '',
  '1',
  '2',
  '10',
  '-0.5',
  '1e1',
  '.5',
  '1.',
  'x',
  'xy',
  '0x1',
  ' 1',
  'Infinity',
);
const tags: fc.Arbitrary<Tags> = fc
  .array(fc.tuple(tagName, tagValue), { maxLength: 4 })
  .map((entries) => Object.fromEntries(entries));

const filters: fc.Arbitrary<Filter> = fc.letrec<{ node: Filter; leaf: Filter }>((tie) => ({
  leaf: fc.oneof(
    fc.record({ op: fc.constantFrom('eq' as const, 'prefix' as const), tag: tagName, value: tagValue }),
    fc.record({
      op: fc.constant('in' as const),
      tag: tagName,
      values: fc.array(tagValue, { minLength: 1, maxLength: 3 }),
    }),
    fc.record({
      op: fc.constantFrom('lt' as const, 'lte' as const, 'gt' as const, 'gte' as const),
      tag: tagName,
      number: fc.constantFrom(-1, -0.5, 0, 0.5, 1, 2, 10),
    }),
    fc.record({ op: fc.constant('exists' as const), tag: tagName }),
  ),
  node: fc.oneof(
    { maxDepth: 4 },
    tie('leaf'),
    fc.record({
      op: fc.constantFrom('and' as const, 'or' as const),
      filters: fc.array(tie('node'), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ op: fc.constant('not' as const), filters: fc.tuple(tie('node')) }),
  ),
})).node;

describe('the canonical form of a filter', () => {
  test.each<[string, Filter, Filter]>([
    ['parts are in another order', and(a, b), and(b, a)],
    ['parts are repeated', or(a, b, a), or(a, b)],
    ['a list has one part', and(a), a],
    ['lists of one kind are nested', or(a, or(b, or(c))), or(c, b, a)],
    ['a list of one part hides a list of the same kind', and(a, or(and(b, c))), and(a, b, c)],
    ['it is negated twice', not(not(a)), a],
    ['a doubly negated list is flattened', and(a, not(not(and(b, c)))), and(a, b, c)],
    ['values are in another order, and repeated', isIn('a', '2', '1', '2'), isIn('a', '1', '2')],
    ['one of one value is that value', isIn('a', '1', '1'), a],
  ])('is the same where %s', (_, one, other) => {
    expect(compileFilter(one).canonical).toBe(compileFilter(other).canonical);
  });

  test.each<[Filter, Filter]>([
    [and(a, b), or(a, b)],
    [a, not(a)],
    [a, { op: 'prefix', tag: 'a', value: '1' }],
    [eq('a', '1'), eq('1', 'a')],
    [
      { op: 'lt', tag: 'a', number: 1 },
      { op: 'lte', tag: 'a', number: 1 },
    ],
    [isIn('a', '1', '2'), isIn('a', '1,2')],
  ])('differs between %j and %j', (one, other) => {
    expect(compileFilter(one).canonical).not.toBe(compileFilter(other).canonical);
  });

  test('ignores members that are no part of the condition', () => {
    expect(compileFilter(Object.assign({ note: 'x' }, a)).canonical).toBe(compileFilter(a).canonical);
  });

  test('matches exactly what the filter as written matches', () => {
    fc.assert(
      fc.property(filters, fc.array(tags, { minLength: 1, maxLength: 8 }), (filter, samples) => {
        const compiled = compileFilter(filter);
        const reread = compileFilter(JSON.parse(compiled.canonical) as Filter);
        expect(reread.canonical).toBe(compiled.canonical);
        for (const sample of samples) {
          const expected = holds(filter, sample);
          expect(compiled.matches(sample)).toBe(expected);
          expect(reread.matches(sample)).toBe(expected);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('matching', () => {
  test('a publication without tags has none of them', () => {
    expect(compileFilter({ op: 'exists', tag: 'a' }).matches(undefined)).toBe(false);
    expect(compileFilter(not(a)).matches(undefined)).toBe(true);
  });

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    '%s is a tag only where it was given',
    (tag) => {
      const exists = compileFilter({ op: 'exists', tag });
      expect(exists.matches({})).toBe(false);
      expect(exists.matches(JSON.parse(`{"${tag}":"x"}`) as Tags)).toBe(true);
    },
  );

  test('a number compares with decimal text only', () => {
    const below = compileFilter({ op: 'lt', tag: 'n', number: 5 });
    const results = ['4', '-1e3', '5', '', ' 4', '0x1', 'four', '-Infinity'].map((n) => below.matches({ n }));
    expect(results).toEqual([true, true, false, false, false, false, false, false]);
  });
});

describe('limits of a filter', () => {
  test('it may be 8 deep and not 9', () => {
    expect(filterMaxDepth).toBe(8);
    expect(filterProblem(nested(8))).toBeUndefined();
    expect(filterProblem(nested(9))).toContain('8 deep');
  });

  test('it may have 64 conditions and not 65, and each value of "in" is one', () => {
    expect(filterMaxNodes).toBe(64);
    expect(filterProblem(or(...Array.from({ length: 63 }, () => a)))).toBeUndefined();
    expect(filterProblem(or(...Array.from({ length: 64 }, () => a)))).toContain('64 conditions');
    const values = Array.from({ length: 65 }, (_, i) => String(i));
    expect(filterProblem(isIn('a', ...values.slice(1)))).toBeUndefined();
    expect(filterProblem(isIn('a', ...values))).toContain('64 conditions');
  });

  test.each<[string, Filter]>([
    ['an empty "and"', and()],
    ['an empty "or" inside', not(or())],
    ['an empty "in"', isIn('a')],
    ['a "not" of two', { op: 'not', filters: [a, b] }],
    ['a "not" of nothing', { op: 'not', filters: [] }],
  ])('%s is refused', (_, filter) => {
    expect(filterProblem(filter)).toContain('at least one part');
  });
});

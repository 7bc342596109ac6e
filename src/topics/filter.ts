import { canonicalFilter } from '../protocol/canonical-filter.ts';
import { filterMaxDepth, filterMaxNodes } from '../protocol/filter-fields.ts';
import type { Filter, Tags } from '../protocol/frames.ts';

/** A filter ready for use. Equal filters, however they were written, have the same canonical text. */
export interface CompiledFilter {
  readonly canonical: string;
  /** How many conditions are looked at, at most, to match a publication. */
  readonly conditions: number;
  matches(tags: Tags | undefined): boolean;
}

type Test = (tags: Tags) => boolean;

const noTags: Tags = {};

/** What is wrong with the filter's size, or nothing; the decoders have checked its shape. */
export function filterProblem(filter: Filter): string | undefined {
  if (depthOf(filter) > filterMaxDepth) return `a filter is at most ${filterMaxDepth} deep`;
  if (nodesOf(filter) > filterMaxNodes) return `a filter has at most ${filterMaxNodes} conditions`;
  return emptyNode(filter) ? 'and, or and in need at least one part, not needs exactly one' : undefined;
}

export function compileFilter(filter: Filter): CompiledFilter {
  const canonical = canonicalFilter(filter);
  const test = compile(canonical);
  return {
    canonical: JSON.stringify(canonical),
    conditions: conditionsOf(canonical),
    matches: (tags) => test(tags ?? noTags),
  };
}

const compare = {
  lt: (a: number, b: number) => a < b,
  lte: (a: number, b: number) => a <= b,
  gt: (a: number, b: number) => a > b,
  gte: (a: number, b: number) => a >= b,
} as const;

const decimal = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

function compile(filter: Filter): Test {
  switch (filter.op) {
    case 'eq':
      return (tags) => own(tags, filter.tag) === filter.value;
    case 'in': {
      const values = new Set<string | undefined>(filter.values);
      return (tags) => values.has(own(tags, filter.tag));
    }
    case 'prefix':
      return (tags) => own(tags, filter.tag)?.startsWith(filter.value) ?? false;
    case 'exists':
      return (tags) => own(tags, filter.tag) !== undefined;
    case 'and': {
      const tests = filter.filters.map(compile);
      return (tags) => tests.every((test) => test(tags));
    }
    case 'or': {
      const tests = filter.filters.map(compile);
      return (tags) => tests.some((test) => test(tags));
    }
    case 'not': {
      const test = compile(filter.filters[0] as Filter);
      return (tags) => !test(tags);
    }
    default: {
      const holds = compare[filter.op];
      return (tags) => {
        const value = own(tags, filter.tag);
        return value !== undefined && decimal.test(value) && holds(Number(value), filter.number);
      };
    }
  }
}

function own(tags: Tags, name: string): string | undefined {
  return Object.hasOwn(tags, name) ? tags[name] : undefined;
}

function partsOf(filter: Filter): readonly Filter[] {
  return 'filters' in filter ? filter.filters : [];
}

/** The values of an `in` are looked up at once. */
function conditionsOf(filter: Filter): number {
  return partsOf(filter).reduce((sum, part) => sum + conditionsOf(part), 1);
}

function depthOf(filter: Filter): number {
  return 1 + Math.max(0, ...partsOf(filter).map(depthOf));
}

function nodesOf(filter: Filter): number {
  return (
    1 +
    partsOf(filter).reduce((sum, part) => sum + nodesOf(part), 0) +
    ('values' in filter ? filter.values.length - 1 : 0)
  );
}

function emptyNode(filter: Filter): boolean {
  if (filter.op === 'in' && filter.values.length === 0) return true;
  if ('filters' in filter) {
    if (filter.filters.length === 0 || (filter.op === 'not' && filter.filters.length !== 1)) return true;
    return filter.filters.some(emptyNode);
  }
  return false;
}

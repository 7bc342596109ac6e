import type { Filter } from './frames.ts';

/**
 * Sorted and without repeats, nested and/or flattened, one-element ones unwrapped, double negation removed.
 */
export function canonicalFilter(filter: Filter): Filter {
  switch (filter.op) {
    case 'in': {
      const values = [...new Set(filter.values)].sort();
      return values.length === 1
        ? { op: 'eq', tag: filter.tag, value: values[0] as string }
        : { op: 'in', tag: filter.tag, values };
    }
    case 'and':
    case 'or':
      return canonicalList(filter.op, filter.filters);
    case 'not':
      return canonicalNot(filter.filters);
    case 'eq':
    case 'prefix':
      return { op: filter.op, tag: filter.tag, value: filter.value };
    case 'exists':
      return { op: 'exists', tag: filter.tag };
    default:
      // JSON has one zero.
      return { op: filter.op, tag: filter.tag, number: filter.number + 0 };
  }
}

/** A `not` with other than one part, which the gateway refuses, keeps its parts. */
function canonicalNot(filters: readonly Filter[]): Filter {
  const [inner, ...rest] = filters.map(canonicalFilter);
  if (inner?.op === 'not' && rest.length === 0 && inner.filters.length === 1)
    return inner.filters[0] as Filter;
  return { op: 'not', filters: inner === undefined ? [] : [inner, ...rest] };
}

function canonicalList(op: 'and' | 'or', filters: readonly Filter[]): Filter {
  const parts = new Map<string, Filter>();
  for (const part of filters.map(canonicalFilter)) {
    // An empty part, which the gateway refuses, is kept: it must not make this one look like another.
    const flat = part.op === op && part.filters.length > 0 ? part.filters : [part];
    for (const one of flat) parts.set(JSON.stringify(one), one);
  }
  if (parts.size === 1) return parts.values().next().value as Filter;
  const sorted = [...parts.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  return { op, filters: sorted.map(([, part]) => part) };
}

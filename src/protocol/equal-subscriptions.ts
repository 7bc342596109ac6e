import type { Filter } from './frames.ts';

/**
 * When two subscriptions are the same, for the gateway and for its clients: they get the same bytes, and one
 * session can have only one of them.
 */

/** What a subscription gets; not where it begins. */
export interface Selection {
  /** A topic or a pattern. */
  readonly topic: string;
  readonly filter?: Filter;
  readonly intervalMs?: number;
  readonly conflate?: boolean;
  readonly keys?: readonly string[];
}

/** The steps that an interval is rounded up to, so that equals share a view. Milliseconds. */
export const intervalLadderMs = [50, 100, 250, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000] as const;

export function snapInterval(intervalMs: number): number {
  if (intervalMs <= 0) return 0;
  return intervalLadderMs.find((step) => step >= intervalMs) ?? (intervalLadderMs.at(-1) as number);
}

/** Equal subscriptions have equal texts, however they were written. */
export function subscriptionKey({
  topic,
  filter,
  intervalMs = 0,
  conflate = false,
  keys,
}: Selection): string {
  const keysOf = keys && keysText(keys);
  return canonicalKey(topic, filter && filterText(filter), snapInterval(intervalMs), conflate, keysOf);
}

/** Equal for the same keys, in whatever order. */
export function keysText(keys: Iterable<string>): string {
  return JSON.stringify([...new Set(keys)].sort());
}

/** The same of parts that are canonical already. */
export function canonicalKey(
  topic: string,
  filter: string | undefined,
  intervalMs: number,
  conflate: boolean,
  keys = '',
) {
  // No topic or pattern has a blank in it, and a filter begins with a brace.
  return `${topic} ${intervalMs} ${conflate} ${keys}${filter ?? ''}`;
}

function filterText(filter: Filter): string {
  return JSON.stringify(canonicalFilter(filter));
}

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

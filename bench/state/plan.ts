/** What publisher, clients and comparison agree on. */

/** A value as it was published. */
export interface Value {
  readonly n: number;
  readonly tags: Readonly<Record<string, string>>;
}

/** What a client asks for. */
export interface Wish {
  readonly topic: string;
  readonly filter?: object;
  readonly intervalMs?: number;
  readonly keys?: readonly string[];
}

/** Namespaces of the configuration: `r` sends its values again and again, `t` has topics that come and go. */
export const namespaces = {
  s: { mode: 'state' },
  r: { mode: 'state', refreshMs: 1000 },
  t: { mode: 'state', ttlMs: 1500 },
} as const;

export const topics = ['s:a1', 's:a2', 's:b1', 'r:a1', 'r:a2', 't:1', 't:2', 't:3'] as const;
export const keys: readonly string[] = Array.from({ length: 24 }, (_, i) => `k${i}`);

/** No value lives longer than this, unless it has no end. */
export const longestTtlMs = 1500;

const isHigh = { op: 'eq', tag: 'level', value: 'high' };
const isLoaded = {
  op: 'or',
  filters: [
    { op: 'gte', tag: 'load', number: 5 },
    { op: 'exists', tag: 'alarm' },
  ],
};
const isNotLow = { op: 'not', filters: [{ op: 'in', tag: 'level', values: ['low'] }] };

/** The same filters, said again. */
const tests = new Map<object, (tags: Value['tags']) => boolean>([
  [isHigh, ({ level }) => level === 'high'],
  [isLoaded, ({ load, alarm }) => Number(load ?? 0) >= 5 || alarm !== undefined],
  [isNotLow, ({ level }) => level !== 'low'],
]);

const some = keys.filter((_, i) => i % 3 === 0);

/** Each client has one of these, and all of the same number the same. */
export const wishes: readonly (readonly Wish[])[] = [
  [{ topic: 's:a1' }, { topic: 's:a*' }],
  [{ topic: '*' }],
  [{ topic: 's:a1', filter: isHigh }, { topic: 'r:a1' }],
  [{ topic: 's:a*', filter: isLoaded }, { topic: 't:*' }],
  [
    { topic: 's:b1', intervalMs: 250 },
    { topic: 's:a2', intervalMs: 100, filter: isNotLow },
  ],
  [{ topic: '*', intervalMs: 500 }],
  [
    { topic: 's:a1', keys: some },
    { topic: 's:a1', filter: isNotLow },
  ],
  [{ topic: 'r:*', filter: isHigh, intervalMs: 100 }],
  [{ topic: 't:1' }, { topic: 't:2', filter: isHigh }, { topic: 't:3', intervalMs: 250 }],
  [
    { topic: '*', filter: isNotLow },
    { topic: '*', filter: isHigh, intervalMs: 1000 },
  ],
];

export function covers({ topic: target }: Wish, topic: string): boolean {
  return target.endsWith('*') ? topic.startsWith(target.slice(0, -1)) : topic === target;
}

export function matches({ filter, keys: wanted }: Wish, key: string, { tags }: Value): boolean {
  if (wanted?.includes(key) === false) return false;
  return filter === undefined || tests.get(filter)?.(tags) === true;
}

/** The steps that an interval is rounded up to, so that equals share a view. Milliseconds. */
export const intervalLadderMs = [50, 100, 250, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000] as const;

export function snapInterval(intervalMs: number): number {
  if (intervalMs <= 0) return 0;
  return intervalLadderMs.find((step) => step >= intervalMs) ?? (intervalLadderMs.at(-1) as number);
}

/** Equal for the same keys, in whatever order. */
export function keysText(keys: Iterable<string>): string {
  return JSON.stringify([...new Set(keys)].sort());
}

/** Equal for equal subscriptions, of parts that are canonical already. */
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

import { canonicalFilter } from './canonical-filter.ts';
import type { Filter } from './frames.ts';
import { canonicalKey, keysText, snapInterval } from './selection-key.ts';

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

function filterText(filter: Filter): string {
  return JSON.stringify(canonicalFilter(filter));
}

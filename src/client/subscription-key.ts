import type { Filter } from '../protocol/frames.ts';
import type { SubscribeOptions } from './subscribe-options.ts';

/**
 * Subscriptions with the same key get the same bytes, and the gateway would refuse the second one of a session
 * (`already_subscribed`). `last` and `since` say where to begin, not what to get, so they don't count.
 */
export function subscriptionKey(topic: string, options: SubscribeOptions): string {
  const { filter, intervalMs = 0, conflate = false } = options;
  return JSON.stringify([topic, filter ? canonical(filter) : '', intervalMs, conflate]);
}

/** The order of values and of the parts of `and` and `or` means nothing, nor do repetitions. */
function canonical(filter: Filter): string {
  switch (filter.op) {
    case 'eq':
    case 'prefix':
      return JSON.stringify([filter.op, filter.tag, filter.value]);
    case 'in':
      return JSON.stringify([filter.op, filter.tag, ...sortedOnce(filter.values)]);
    case 'exists':
      return JSON.stringify([filter.op, filter.tag]);
    case 'and':
    case 'or':
    case 'not':
      return JSON.stringify([filter.op, ...sortedOnce(filter.filters.map(canonical))]);
    default:
      return JSON.stringify([filter.op, filter.tag, filter.number]);
  }
}

function sortedOnce(values: readonly string[]): string[] {
  return [...new Set(values)].sort();
}

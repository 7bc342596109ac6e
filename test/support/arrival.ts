import type { Arrival } from '../../src/sessions/limits/token-bucket.ts';

/** Everything is read as it comes. */
export function readAtOnce(nowMs: () => number): Arrival {
  return { nowMs, sinceMs: nowMs };
}

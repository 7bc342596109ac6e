import { getHeapStatistics, setFlagsFromString } from 'node:v8';

/** How much larger a heap should become before it is collected, and the bounds in percent of what is in use. */
const roomBytes = 40 * 2 ** 20;
const leastPercent = 30;
const mostPercent = 120;

/**
 * For the process of a gateway: call it about once a second. V8 lets a heap become four times as large between two
 * collections of the old generation, so that clients who ask for much could make it 400 MiB larger with garbage (`bench
 * -- siege`).
 */
export function boundHeapGrowth(): void {
  const percent = Math.round((100 * roomBytes) / getHeapStatistics().used_heap_size);
  const growth = Math.min(mostPercent, Math.max(leastPercent, percent));
  setFlagsFromString(`--heap-growing-percent=${growth}`);
}

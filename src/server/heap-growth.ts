import { setFlagsFromString } from 'node:v8';

/** How much larger the heap may become before it is collected, in percent of what the last collection left. */
const growthPercent = 50;

/**
 * For the process of a gateway, as soon as it starts. V8 lets a heap that is collected fast become four times as large
 * between two collections of the old generation, so that clients who ask for much could make it 400 MiB larger with
 * garbage (`bench -- siege`).
 */
export function boundHeapGrowth(): void {
  setFlagsFromString(`--heap-growing-percent=${growthPercent}`);
}

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collects all garbage. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  // The first one only begins to free the memory of array buffers.
  collect();
}

/** How many bytes more this process holds after `work` than before, without garbage. */
export function growthBytes(kind: 'heapUsed' | 'arrayBuffers', work: () => void): number {
  collectGarbage();
  const before = process.memoryUsage()[kind];
  work();
  collectGarbage();
  return process.memoryUsage()[kind] - before;
}

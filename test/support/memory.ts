import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { vi } from 'vitest';

function collector(): (options?: { readonly type: 'minor' }) => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as ReturnType<typeof collector>;
}

/** Collects all garbage. */
export function collectGarbage(): void {
  const collect = collector();
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

/**
 * Loads a module again, for `outlivingShare`. Code whose objects lived long in earlier tests of this process makes new
 * ones in the old generation at once; code that was just loaded has no such past.
 */
export function loadedAnew<T>(load: () => Promise<T>): Promise<T> {
  vi.resetModules();
  return load();
}

const churned = { objects: 4000, bytes: 4096, runs: 3 };

/**
 * The share of objects that outlive scavenges though nothing holds them any more, where `churn` is called with one
 * object after the other, and what it has done before is old. They make each scavenge longer. The least of some runs:
 * what V8 does beside may keep objects, too.
 */
export function outlivingShare(churn: (object: string) => void): number {
  return Math.min(...Array.from({ length: churned.runs }, () => outlivingOnce(churn)));
}

function outlivingOnce(churn: (object: string) => void): number {
  const next = () => churn(Buffer.alloc(churned.bytes, 'x').toString('latin1'));
  for (let i = 0; i < 100; i++) next();
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < churned.objects; i++) next();
  // What one scavenge has copied, the next one moves to the old generation.
  const collect = collector();
  for (let i = 0; i < 3; i++) collect({ type: 'minor' });
  return (process.memoryUsage().heapUsed - before) / (churned.objects * churned.bytes);
}

import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';

/** What V8 gives to other threads. Not `--parallel-marking`: Node 20 aborts if that changes while it runs. */
const ofOtherThreads = [
  'concurrent-marking',
  'concurrent-sweeping',
  'concurrent-array-buffer-sweeping',
  'parallel-scavenge',
  'parallel-compaction',
  'parallel-pointer-update',
];

/**
 * For the process of a gateway, before it loads much: on its only core the event loop collects garbage itself, and
 * marks in steps of a few milliseconds. V8's four threads would take the core from it for 30 ms at a time while they
 * mark (`bench -- unicast --gaps`).
 */
export function collectByLoop(cores = availableParallelism()): void {
  if (cores === 1) setFlagsFromString(ofOtherThreads.map((each) => `--no-${each}`).join(' '));
}

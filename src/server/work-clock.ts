import { openSync, readSync } from 'node:fs';

interface Clocks {
  /** Milliseconds on a monotonic clock. */
  nowMs(): number;
  /** How long this thread has waited for a processor. Undefined: the kernel does not say. */
  waitedMs(): number | undefined;
}

/** Waits shorter than this may count as work, because reading the kernel's figure takes 2 µs. */
const readEveryMs = 2;

/**
 * A monotonic clock in milliseconds that stands still while this thread is ready to run and has no processor, so that
 * clients are not charged for what other processes take. Waiting for a disk counts. Where the kernel does not say how
 * long the thread waited, all time counts.
 */
export function createWorkClock(clocks: Clocks = { nowMs: () => performance.now(), waitedMs }): () => number {
  let readAtMs = Number.NEGATIVE_INFINITY;
  let waited = 0;
  let last = Number.NEGATIVE_INFINITY;
  return () => {
    const nowMs = clocks.nowMs();
    if (nowMs - readAtMs >= readEveryMs) {
      waited = clocks.waitedMs() ?? 0;
      readAtMs = nowMs;
    }
    // A wait between the two readings is seen by the second only.
    last = Math.max(last, nowMs - waited);
    return last;
  };
}

const text = Buffer.alloc(64);
/**
 * The schedstat of this thread. It stays open: opening it takes twice as long as reading it, hundreds of times a
 * second.
 */
let file: number | undefined;

/** The file has the nanoseconds that the thread ran, those that it waited, and how often it ran. */
function waitedMs(): number | undefined {
  try {
    file ??= openSync('/proc/thread-self/schedstat', 'r');
    const length = readSync(file, text, 0, text.length, 0);
    const waitedNs = Number(text.toString('latin1', 0, length).split(' ')[1]);
    return Number.isNaN(waitedNs) ? undefined : waitedNs / 1e6;
  } catch {
    return undefined;
  }
}

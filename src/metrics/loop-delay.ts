const everyMs = 50;

/** What it takes of a machine; tests bring their own. */
interface LoopClock {
  /** Milliseconds on a monotonic clock. */
  nowMs(): number;
  /** Calls `look` about so often; the answer ends that. */
  every(intervalMs: number, look: () => void): () => void;
}

const loopClock: LoopClock = {
  nowMs: () => performance.now(),
  every(intervalMs, look) {
    const timer = setInterval(look, intervalMs).unref();
    return () => clearInterval(timer);
  },
};

/**
 * Tells twenty times a second by how many seconds a timer came late: what anything else that was due then had to wait for.
 * A stop of the loop that is longer than 50 ms is always seen. The answer ends it. (The monitor of `perf_hooks` that
 * prom-client starts wakes an idle process a hundred times a second, which is most of what the process does, and its values
 * include its own 10 ms.)
 */
export function watchLoopDelay(delayed: (seconds: number) => void, clock: LoopClock = loopClock): () => void {
  let lastMs = clock.nowMs();
  return clock.every(everyMs, () => {
    const nowMs = clock.nowMs();
    delayed(Math.max(0, nowMs - lastMs - everyMs) / 1000);
    lastMs = nowMs;
  });
}

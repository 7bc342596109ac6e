import { readdirSync, readFileSync } from 'node:fs';

const pageBytes = 4096;

/** Time on a core that all threads of a process have had so far; to the nanosecond, unlike that of /proc/PID/stat. */
export function cpuSeconds(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) nanoseconds += nanosecondsOf(pid, thread);
  return nanoseconds / 1e9;
}

function nanosecondsOf(pid: number, thread: string): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ', 1)[0]);
  } catch {
    // It has ended meanwhile.
    return 0;
  }
}

export function rssBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * pageBytes;
}

/** The share of a core that a process takes between `begin` and the call of what it answers. */
export function cpuMeter(pid: number): () => number {
  const atMs = performance.now();
  const seconds = cpuSeconds(pid);
  return () => (cpuSeconds(pid) - seconds) / ((performance.now() - atMs) / 1000);
}

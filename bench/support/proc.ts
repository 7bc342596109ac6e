import { readFileSync } from 'node:fs';

/** Linux counts CPU time in hundredths of a second. */
const ticksPerSecond = 100;
const pageBytes = 4096;

/** User and system time that a process has taken so far. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name in parentheses may hold spaces; user and system time are the 12th and 13th field behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
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

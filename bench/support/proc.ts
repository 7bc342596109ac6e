import { openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';

const pageBytes = 4096;

/** CPU time of all threads of a process so far, to the nanosecond, unlike in /proc/PID/stat. */
export function cpuSeconds(pid: number): number {
  return scheduledSeconds(pid, 0);
}

/** How long all threads of a process have been ready to run so far, and had no core. */
export function waitSeconds(pid: number): number {
  return scheduledSeconds(pid, 1);
}

function scheduledSeconds(pid: number, field: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) nanoseconds += nanosecondsOf(pid, thread, field);
  return nanoseconds / 1e9;
}

function nanosecondsOf(pid: number, thread: string, field: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[field]);
  } catch {
    // It has ended meanwhile.
    return 0;
  }
}

/** The processes that this one has started and that run. */
export function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  return children === '' ? [] : children.split(' ').map(Number);
}

/** Sockets that a process has open. */
export function socketsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => isSocket(`/proc/${pid}/fd/${fd}`)).length;
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('socket:');
  } catch {
    // It was closed meanwhile.
    return false;
  }
}

export function rssBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * pageBytes;
}

/** The share of a core that a process takes until the returned function is called. */
export function cpuMeter(pid: number): () => number {
  const atMs = performance.now();
  const seconds = cpuSeconds(pid);
  return () => (cpuSeconds(pid) - seconds) / ((performance.now() - atMs) / 1000);
}

const quietMs = 50;
const quietShare = 0.1;

/** Waits until the process has done what is left, closing connections for one, so that it does not count later. */
export async function quiet(pid: number): Promise<void> {
  for (let before = cpuSeconds(pid), share = 1; share > quietShare; ) {
    await setTimeout(quietMs);
    const now = cpuSeconds(pid);
    share = (now - before) / (quietMs / 1000);
    before = now;
  }
}

/** How long the main thread of a process is ready to run while another process has its core, until the call. */
export function starvedMeter(pid: number): () => number {
  const main = (field: number) => nanosecondsOf(pid, String(pid), field) / 1e6;
  // On one core the main thread also waits for the other threads of its process.
  const starvedMs = () => main(1) - (cpuSeconds(pid) * 1000 - main(0));
  const beforeMs = starvedMs();
  return () => Math.max(0, starvedMs() - beforeMs);
}

/** The times of this process's main thread, cheap enough to be read in each turn of the loop. */
export class OwnThread {
  readonly #file = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
  readonly #text = Buffer.alloc(64);

  ranMs(): number {
    return this.#read(0);
  }

  /** Ready to run while another thread had the core. */
  waitedMs(): number {
    return this.#read(1);
  }

  #read(field: number): number {
    const length = readSync(this.#file, this.#text, 0, this.#text.length, 0);
    return Number(this.#text.toString('latin1', 0, length).split(' ')[field]) / 1e6;
  }
}

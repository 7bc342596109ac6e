import { statfsSync } from 'node:fs';

/** Enough for one commit: its publications (`--requests-max-bytes`) and the pages that it copies. */
export const freeMinBytes = 64 * 2 ** 20;
/** Once the disk was full, this much must be free again, so that the gateway does not toggle. */
export const freeAgainBytes = 80 * 2 ** 20;
/** Minimum interval between two questions to the system. */
export const lookEveryMs = 100;

/**
 * Checks that the disk has room for the next commits. lmdb must never find the disk full: after a few such commits
 * lmdb-js 3.5.6 freed memory that it had not allocated, and the process ended (`munmap_chunk(): invalid pointer`).
 */
export class DiskRoom {
  readonly #freeBytes: () => number;
  readonly #nowMs: () => number;
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #problem: Error | undefined;

  /** `freeBytes`: what this user may still write there. */
  constructor(freeBytes: () => number, nowMs: () => number) {
    this.#freeBytes = freeBytes;
    this.#nowMs = nowMs;
  }

  /** At the last look there was too little room. */
  get isShort(): boolean {
    return this.#problem !== undefined;
  }

  /** Returns why nothing may be committed now; undefined: there is room. Throws the error of statfs(2). */
  problem(): Error | undefined {
    const nowMs = this.#nowMs();
    if (this.#problem === undefined && nowMs - this.#lookedAtMs < lookEveryMs) return undefined;
    this.#lookedAtMs = nowMs;
    const neededBytes = this.#problem === undefined ? freeMinBytes : freeAgainBytes;
    const free = this.#freeBytes();
    this.#problem = free >= neededBytes ? undefined : diskFull(free, neededBytes);
    return this.#problem;
  }
}

function diskFull(free: number, wanted: number): Error {
  const mib = (bytes: number) => Math.floor(bytes / 2 ** 20);
  return new Error(
    `the disk of the data folder is nearly full: ${mib(free)} MiB are free, and ${mib(wanted)} MiB have to be`,
  );
}

/** Returns Infinity if the file system does not tell. */
export function freeBytesOf(folder: string): number {
  const { blocks, bavail, bsize } = statfsSync(folder);
  return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
}

import { statfsSync } from 'node:fs';

/** What one commit may take: its publications (`--requests-max-bytes`) and the pages of the tree that it copies. */
export const freeMinBytes = 64 * 2 ** 20;
/** Once there was too little room, so much is wanted, or the gateway would be away and back in turns. */
export const freeAgainBytes = 80 * 2 ** 20;
/** How often the system is asked while commits follow each other closely. */
export const lookEveryMs = 100;

/**
 * Whether the disk of a data folder has room for the next commits.
 *
 * lmdb must not find the disk full: after a few commits that did, lmdb-js 3.5.6 had freed memory that it had not
 * allocated, and the process ended (`munmap_chunk(): invalid pointer`).
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

  /** Why nothing may be committed now; undefined: there is room. Throws what statfs(2) throws. */
  problem(): Error | undefined {
    const nowMs = this.#nowMs();
    if (this.#problem === undefined && nowMs - this.#lookedAtMs < lookEveryMs) return undefined;
    this.#lookedAtMs = nowMs;
    const wanted = this.#problem === undefined ? freeMinBytes : freeAgainBytes;
    const free = this.#freeBytes();
    this.#problem = free >= wanted ? undefined : diskFull(free, wanted);
    return this.#problem;
  }
}

function diskFull(free: number, wanted: number): Error {
  const mib = (bytes: number) => Math.floor(bytes / 2 ** 20);
  return new Error(
    `the disk of the data folder is nearly full: ${mib(free)} MiB are free, and ${mib(wanted)} MiB have to be`,
  );
}

/** Infinity: the file system does not tell. */
export function freeBytesOf(folder: string): number {
  const { blocks, bavail, bsize } = statfsSync(folder);
  return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
}

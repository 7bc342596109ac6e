import { readFileSync } from 'node:fs';

/** Files kept for the engine, the log, and requests to the application. */
const keptForOthers = 256;

/** Node opens about 140 files at once while it loads the code, and names a wrong cause if it may not. */
const leastFiles = 256;

/** Why this process can't run with so low a limit of open files; undefined: it can. */
export function tooFewFiles(limits = readLimits()): string | undefined {
  const files = filesMax(limits);
  if (files >= leastFiles) return undefined;
  return `This process may open ${files} files (ulimit -n), and needs at least ${leastFiles}.`;
}

/** Sockets of clients that this process may have open at a time. Infinity: not known. */
export function clientSocketsMax(limits = readLimits()): number {
  const files = filesMax(limits);
  if (files === Number.POSITIVE_INFINITY) return files;
  return files - Math.min(keptForOthers, Math.ceil(files / 4));
}

function filesMax(limits: string): number {
  const [, files] = /^Max open files +(\d+) /m.exec(limits) ?? [];
  return files === undefined ? Number.POSITIVE_INFINITY : Number(files);
}

/**
 * A relayed connection takes a file for itself, and two for its way to the app. The app counts the last one once it has
 * sent something: until then a file is kept for it.
 */
const filesPerRelayed = 3;
const filesBesideApp = 2;

/** The files that clients of this process take. */
export class ClientFiles {
  readonly max: number;
  #relayed = (): number => 0;

  constructor(max = clientSocketsMax()) {
    this.max = max;
  }

  /** `count`: returns how many connections are relayed. */
  countRelayed(count: () => number): void {
    this.#relayed = count;
  }

  /** How many files are left when `served` connections to apps are open, relayed ones included. */
  leftBeside(served: number): number {
    return this.max - served - filesBesideApp * this.#relayed();
  }

  /** Whether another connection can be relayed when `served` connections to apps are open. */
  canRelayBeside(served: number): boolean {
    return this.max - served >= filesPerRelayed * (this.#relayed() + 1);
  }
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'latin1');
  } catch {
    return '';
  }
}

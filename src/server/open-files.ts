import { readFileSync } from 'node:fs';

/** Files kept for the engine, the log, and requests to the application. */
const keptForOthers = 256;

/** Sockets of clients that this process may have open at a time. Infinity: not known. */
export function clientSocketsMax(limits = readLimits()): number {
  const [, files] = /^Max open files +(\d+) /m.exec(limits) ?? [];
  if (files === undefined) return Number.POSITIVE_INFINITY;
  return Number(files) - Math.min(keptForOthers, Math.ceil(Number(files) / 4));
}

/**
 * A relayed connection takes a file for itself and two for its way to the app, which counts it again once it has sent
 * something. To be on the safe side it is counted in full at once.
 */
const filesPerRelayed = 3;

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

  /** How many files are left when `served` connections to apps are open. */
  leftBeside(served: number): number {
    return this.max - served - filesPerRelayed * this.#relayed();
  }

  /** Whether another connection can be relayed when `served` connections to apps are open. */
  canRelayBeside(served: number): boolean {
    return this.leftBeside(served) >= filesPerRelayed;
  }
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'latin1');
  } catch {
    return '';
  }
}

import { readFileSync } from 'node:fs';

/** Files kept for the engine, the log, and requests to the application. */
const keptForOthers = 256;

/** Sockets of clients that this process may have open at a time. Infinity: not known. */
export function clientSocketsMax(limits = readLimits()): number {
  const [, files] = /^Max open files +(\d+) /m.exec(limits) ?? [];
  if (files === undefined) return Number.POSITIVE_INFINITY;
  return Number(files) - Math.min(keptForOthers, Math.ceil(Number(files) / 4));
}

function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'latin1');
  } catch {
    return '';
  }
}

import { readFileSync, type Stats, statSync } from 'node:fs';

/** Why a file that an option names is not read. `reason` reads on after the path. */
export class FileError extends Error {
  readonly code = 'ERR_FILE';
  readonly path: string;
  readonly reason: string;

  constructor(path: string, reason: string) {
    super(`${path}: ${reason}`);
    this.name = 'FileError';
    this.path = path;
    this.reason = reason;
  }
}

/**
 * Reads a file that an option names. Throws the error of the file system, and a `FileError` for a larger file and for
 * anything else: a device may have no end, and a pipe is not even opened before another process writes to it.
 */
export function readRegularFile(path: string, maxBytes = 2 ** 20): Buffer {
  const stats = statSync(path);
  if (!stats.isFile()) throw new FileError(path, `is a ${kindOf(stats)}, not a file`);
  if (stats.size > maxBytes) throw new FileError(path, `is larger than ${maxBytes / 1024}KiB`);
  return readFileSync(path);
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'folder';
  if (stats.isFIFO()) return 'pipe';
  return stats.isSocket() ? 'socket' : 'device';
}

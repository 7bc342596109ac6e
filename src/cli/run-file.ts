import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { FileError, readRegularFile } from '../regular-file.ts';

/** Where a gateway listens, for commands on the same machine that do not know its flags. */
export interface RunningAt {
  readonly pid: number;
  readonly host: string;
  readonly port: number;
  /** Absent: http. */
  readonly scheme?: 'http' | 'https' | undefined;
}

/**
 * Writes the file atomically, in place of an empty one or of a former run file. Throws a `FileError` if something else
 * is there, and the error of the file system.
 */
export function writeRunFile(path: string, running: RunningAt): void {
  const there = statSync(path, { throwIfNoEntry: false });
  const isEmpty = there === undefined || (there.isFile() && there.size === 0);
  if (!isEmpty && readRunFile(path) === undefined)
    throw new FileError(path, 'is there already, and is no run file');
  const next = `${path}.${running.pid}`;
  writeFileSync(next, `${JSON.stringify(running)}\n`);
  renameSync(next, path);
}

/** Returns undefined if there is no such file, or it is not a run file. */
export function readRunFile(path: string): RunningAt | undefined {
  try {
    const { pid, host, port, scheme } = JSON.parse(readRegularFile(path).toString()) as Partial<RunningAt>;
    const isOne = typeof pid === 'number' && typeof host === 'string' && typeof port === 'number';
    return isOne ? { pid, host, port, ...(scheme === 'https' ? { scheme } : {}) } : undefined;
  } catch {
    return undefined;
  }
}

/** Removes the file, unless another gateway has replaced it. */
export function removeRunFile(path: string, { pid }: RunningAt): void {
  if (readRunFile(path)?.pid === pid) rmSync(path, { force: true });
}

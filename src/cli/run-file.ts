import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** Where a gateway listens, for commands on the same machine that do not know its flags. */
export interface RunningAt {
  readonly pid: number;
  readonly host: string;
  readonly port: number;
  /** Absent: http. */
  readonly scheme?: 'http' | 'https' | undefined;
}

/** Writes the file atomically. Throws the error of the file system. */
export function writeRunFile(path: string, running: RunningAt): void {
  const next = `${path}.${running.pid}`;
  writeFileSync(next, `${JSON.stringify(running)}\n`);
  renameSync(next, path);
}

/** Returns undefined if there is no such file, or it is not a run file. */
export function readRunFile(path: string): RunningAt | undefined {
  try {
    const { pid, host, port, scheme } = JSON.parse(readFileSync(path, 'utf8')) as Partial<RunningAt>;
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

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** Where a gateway listens, for commands on the same machine that can't know its flags. */
export interface RunningAt {
  readonly pid: number;
  readonly host: string;
  readonly port: number;
}

/** A reader finds the whole of it or none. Throws what the file system says. */
export function writeRunFile(path: string, running: RunningAt): void {
  const next = `${path}.${running.pid}`;
  writeFileSync(next, `${JSON.stringify(running)}\n`);
  renameSync(next, path);
}

/** Nothing where there is none, or something else. */
export function readRunFile(path: string): RunningAt | undefined {
  try {
    const { pid, host, port } = JSON.parse(readFileSync(path, 'utf8')) as Partial<RunningAt>;
    const isOne = typeof pid === 'number' && typeof host === 'string' && typeof port === 'number';
    return isOne ? { pid, host, port } : undefined;
  } catch {
    return undefined;
  }
}

/** Unless another gateway has written its own by now. */
export function removeRunFile(path: string, { pid }: RunningAt): void {
  if (readRunFile(path)?.pid === pid) rmSync(path, { force: true });
}

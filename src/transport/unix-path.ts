import { lstatSync } from 'node:fs';
import { isListening } from '../unix-sockets.ts';

/** Thrown when listening at this path fails. */
export class UnixSocketError extends Error {
  readonly code = 'ERR_UNIX_SOCKET';

  constructor(path: string, why: string, cause?: unknown) {
    super(`cannot listen on the unix socket ${path}: ${why}`, { cause });
    this.name = 'UnixSocketError';
  }
}

/**
 * Rejects with a `UnixSocketError` where what is there may not be replaced. Else nothing is, or a socket that was left
 * by a process that has ended.
 */
export async function mayListenAt(path: string): Promise<void> {
  const problem = await takenBy(path);
  if (problem !== undefined) throw new UnixSocketError(path, problem);
}

async function takenBy(path: string): Promise<string | undefined> {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  if (!stats.isSocket()) return 'there is something that is no socket';
  return (await isListening(path)) ? 'another process listens there' : undefined;
}

export function inodeOf(path: string): number | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.ino;
}

export const noSuchFolder = 'its folder is missing or may not be written, or the path is too long';

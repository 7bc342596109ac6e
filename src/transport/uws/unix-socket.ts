import type { TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { isMainThread } from 'node:worker_threads';
import type { Uws } from './load.ts';

/** Thrown when listening at this path fails. */
class UnixSocketError extends Error {
  readonly code = 'ERR_UNIX_SOCKET';

  constructor(path: string, why: string) {
    super(`cannot listen on the unix socket ${path}: ${why}`);
    this.name = 'UnixSocketError';
  }
}

/**
 * Begins to listen on a unix socket at this path, with these permissions. The library replaces any file, so this checks
 * before that the path is free. Rejects with a `UnixSocketError`. The returned function stops, and removes the socket
 * unless it was replaced.
 */
export async function listenUnix(
  uws: Uws,
  app: TemplatedApp,
  path: string,
  mode: number,
): Promise<() => void> {
  const problem = await takenBy(path);
  if (problem !== undefined) throw new UnixSocketError(path, problem);
  const socket = await new Promise<us_listen_socket | false>((resolve) => {
    // Closed to other users until the permissions are set. Worker threads have no umask of their own.
    const before = isMainThread ? process.umask(0o177) : undefined;
    app.listen_unix(resolve, path);
    if (before !== undefined) process.umask(before);
  });
  if (!socket)
    throw new UnixSocketError(path, 'its folder is missing or may not be written, or the path is too long');
  chmodSync(path, mode);
  const { ino } = lstatSync(path);
  return () => {
    uws.us_listen_socket_close(socket);
    if (inodeOf(path) === ino) rmSync(path, { force: true });
  };
}

/** Why what is there may not be replaced; undefined: nothing is, or it was left by a process that has ended. */
async function takenBy(path: string): Promise<string | undefined> {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  if (!stats.isSocket()) return 'there is something that is no socket';
  const isAlive = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED'));
  });
  return isAlive ? 'another process listens there' : undefined;
}

function inodeOf(path: string): number | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.ino;
}

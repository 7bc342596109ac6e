import type { TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { chmodSync, rmSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { inodeOf, mayListenAt, noSuchFolder, UnixSocketError } from '../unix-path.ts';
import type { Uws } from './load.ts';

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
  await mayListenAt(path);
  const socket = await new Promise<us_listen_socket | false>((resolve) => {
    // Closed to other users until the permissions are set. Worker threads have no umask of their own.
    const before = isMainThread ? process.umask(0o177) : undefined;
    app.listen_unix(resolve, path);
    if (before !== undefined) process.umask(before);
  });
  if (!socket) throw new UnixSocketError(path, noSuchFolder);
  chmodSync(path, mode);
  const inode = inodeOf(path);
  return () => {
    uws.us_listen_socket_close(socket);
    if (inodeOf(path) === inode) rmSync(path, { force: true });
  };
}

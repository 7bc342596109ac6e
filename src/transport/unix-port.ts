import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { inodeOf, mayListenAt, noSuchFolder, UnixSocketError } from './unix-path.ts';

/**
 * Begins to listen on a unix socket at this path, with these permissions, for connections that another process reads.
 * Closes those above `connectionsMax` that it has itself.
 * Rejects with a `UnixSocketError`. The returned function stops, and removes the socket unless it was replaced.
 */
export async function listenForOthers(
  path: string,
  mode: number,
  connectionsMax: number,
  take: (socket: Socket) => void,
): Promise<() => void> {
  await mayListenAt(path);
  rmSync(path, { force: true });
  const server = createServer({ pauseOnConnect: true }, take);
  server.maxConnections = connectionsMax;
  await listening(server, path).catch((cause: unknown) => {
    throw new UnixSocketError(path, noSuchFolder, cause);
  });
  chmodSync(path, mode);
  const inode = inodeOf(path);
  return () => {
    // Closing removes whatever has this name: the end of the process does not.
    if (inodeOf(path) === inode) server.close();
    else server.removeAllListeners('connection').unref();
  };
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // Closed to other users until the permissions are set.
    const before = process.umask(0o177);
    server.listen(path, resolve);
    process.umask(before);
  });
}

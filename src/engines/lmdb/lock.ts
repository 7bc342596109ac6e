import { type BigIntStats, closeSync, lstatSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

const lockName = 'lock';
const attempts = 5;
/** What the kernel takes for the path of a socket: 108 bytes on Linux, 104 elsewhere, one of them a zero. */
const socketPathMaxBytes = 103;

/** How long a gateway that took over a dead one's lock waits before it looks whether it still has it. */
const confirmAfterMs = 100;

/** A folder that this process owns. */
export interface Lock {
  release(): void;
}

/**
 * Takes the folder for this process; undefined: another process has it.
 *
 * Two listening sockets, which the kernel closes however the process ends:
 * - One without a file, named by the folder's device and inode (Linux). The kernel gives the name to one process, at once and
 *   without anything to clear away after a crash, and every path to the folder has the same name.
 * - One in the folder, for processes that have another network namespace, as containers do. A dead one is cleared away first,
 *   by at most one process of each namespace, as that has the other socket.
 *
 * `socketFile` false: the file system has no sockets, and the caller answers for the containers.
 */
export async function takeLock(folder: string, socketFile = true): Promise<Lock | undefined> {
  const closeName = process.platform === 'linux' ? await listen(nameOf(folder)) : () => undefined;
  if (closeName === undefined) return undefined;
  try {
    const closeFile = socketFile ? await takeFile(folder) : () => undefined;
    if (closeFile === undefined) {
      closeName();
      return undefined;
    }
    return {
      release: () => {
        closeFile();
        closeName();
      },
    };
  } catch (error) {
    closeName();
    throw error;
  }
}

/** A leading zero makes it a name of its own, not a path. */
function nameOf(folder: string): string {
  const { dev, ino } = statSync(folder, { bigint: true });
  return `\0sluice data folder ${dev}:${ino}`;
}

/** Returns how to give it back. */
async function takeFile(folder: string): Promise<(() => void) | undefined> {
  const path = join(folder, lockName);
  // A longer path is reached through the open folder.
  const folderHandle = Buffer.byteLength(path) > socketPathMaxBytes ? openSync(folder, 'r') : undefined;
  const address = folderHandle === undefined ? path : `/proc/self/fd/${folderHandle}/${lockName}`;
  const closeHandle = () => {
    if (folderHandle !== undefined) closeSync(folderHandle);
  };
  try {
    let cleared = false;
    for (let i = 0; i < attempts; i++) {
      const close = await listen(address);
      if (close === undefined) {
        if (!(await clearStale(path, address))) break;
        cleared = true;
        continue;
      }
      const own = identityOf(path);
      const release = () => {
        // Closing removes whatever has the name: a lock that another process put in its place stays.
        const isOwn = own !== undefined && identityOf(path) === own;
        if (isOwn) rmSync(path, { force: true });
        close();
        closeHandle();
      };
      if (!cleared || (await isConfirmed(path, own))) return release;
      release();
      return undefined;
    }
  } catch (error) {
    closeHandle();
    throw error;
  }
  closeHandle();
  return undefined;
}

/** Whether this process still has the lock after another one that cleared the same dead lock would have taken it away. */
async function isConfirmed(path: string, own: string | undefined): Promise<boolean> {
  await new Promise((resolve) => setTimeout(resolve, confirmAfterMs));
  return own !== undefined && identityOf(path) === own;
}

function listen(address: string): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(address, () => {
      server.unref();
      resolve(() => server.close());
    });
  });
}

/** Moves a socket away that no process listens on. False: one does. */
async function clearStale(path: string, address: string): Promise<boolean> {
  const identity = identityOf(path);
  if (identity === undefined) return true;
  if (await isAnswered(address)) return false;
  const stale = `${path}.stale-${process.pid}`;
  try {
    renameSync(path, stale);
  } catch {
    return true;
  }
  if (identityOf(stale) !== identity) {
    // Another process cleared the dead one first, and this is its lock.
    renameSync(stale, path);
    return false;
  }
  rmSync(stale, { force: true });
  return true;
}

function isAnswered(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address);
    const answer = (is: boolean) => () => {
      socket.destroy();
      resolve(is);
    };
    socket.on('connect', answer(true));
    // Any other error is one of a socket that is there: its queue is full, or it is another user's.
    socket.on('error', ({ code }: NodeJS.ErrnoException) =>
      answer(code !== 'ECONNREFUSED' && code !== 'ENOENT')(),
    );
  });
}

/** A freed inode's number is soon used again, so the time at which the file was made counts too. */
function identityOf(path: string): string | undefined {
  const stats: BigIntStats | undefined = lstatSync(path, { throwIfNoEntry: false, bigint: true });
  return stats && `${stats.ino} ${stats.birthtimeNs} ${stats.mtimeNs}`;
}

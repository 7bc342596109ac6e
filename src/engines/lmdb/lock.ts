import { closeSync, lstatSync, openSync, renameSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

const lockName = 'lock';
const attempts = 5;
/** What the kernel takes for the path of a socket: 108 bytes on Linux, 104 elsewhere, one of them a zero. */
const socketPathMaxBytes = 103;

/**
 * Takes the folder for this process: answers how to give it back, or nothing when another process has it.
 *
 * The lock is a listening socket: the kernel closes it however the process ends, and whoever connects knows whether
 * somebody is there, also between containers, where the number of a process says nothing.
 */
export async function takeLock(folder: string): Promise<(() => void) | undefined> {
  const path = join(folder, lockName);
  // A longer path is reached through the open folder.
  const folderHandle = Buffer.byteLength(path) > socketPathMaxBytes ? openSync(folder, 'r') : undefined;
  const address = folderHandle === undefined ? path : `/proc/self/fd/${folderHandle}/${lockName}`;
  const done = () => {
    if (folderHandle !== undefined) closeSync(folderHandle);
  };
  try {
    for (let i = 0; i < attempts; i++) {
      const close = await listen(address);
      if (close !== undefined) {
        return () => {
          close();
          rmSync(path, { force: true });
          done();
        };
      }
      if (!(await clearStale(path, address))) break;
    }
  } catch (error) {
    done();
    throw error;
  }
  done();
  return undefined;
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

/** Moves a socket away that nobody listens on. False: somebody does. */
async function clearStale(path: string, address: string): Promise<boolean> {
  const inode = inodeOf(path);
  if (inode === undefined) return true;
  if (await isAnswered(address)) return false;
  const stale = `${path}.stale-${process.pid}`;
  try {
    renameSync(path, stale);
  } catch {
    return true;
  }
  if (inodeOf(stale) !== inode) {
    // Another process cleared the stale one first, and this is its lock.
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
    socket.on('error', answer(false));
  });
}

function inodeOf(path: string): number | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.ino;
}

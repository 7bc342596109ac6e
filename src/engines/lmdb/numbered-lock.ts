import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isListening, listenAt } from '../../unix-sockets.ts';

/** `lock.7` is the lock of the seventh owner. Each lock is a folder with one socket. */
const lockName = /^lock\.(\d{1,15})$/;
/** Prefix of the folders of processes that may become the next owner. */
const candidatePrefix = 'lock.new-';
const socketName = 's';

/** A process loses a round only if another one wins it, so that many losses mean another fault. */
const roundsMax = 100;

/** The kernel limits the path of a socket to 108 bytes on Linux, 104 elsewhere, including a final zero. */
const socketPathMaxBytes = 103;

/**
 * Takes the next number of the folder. Returns how to release it; undefined: the owner of the newest number is alive.
 *
 * - A process first listens on a socket in a folder of its own, then renames this folder to the next number. The rename
 *   fails if the number is taken, so only one process gets it, and no lock is visible before its process listens.
 * - Only the newest lock counts. Nothing removes it, not even the end of its owner, so the newest number never
 *   decreases. A process that was delayed after it found the newest lock dead sees a newer one, and starts over.
 */
export async function takeNumberedLock(
  folder: string,
  listen: typeof listenAt = listenAt,
): Promise<(() => void) | undefined> {
  const sockets = openSockets(folder);
  try {
    for (let round = 0; round < roundsMax; round++) {
      const newest = newestNumber(folder);
      if (await isListening(sockets.address(nameOf(newest)))) return undefined;
      const release = await takeNumber(folder, newest + 1, sockets, listen);
      if (release === undefined) continue;
      await removeDead(folder, newest + 1, sockets);
      return release;
    }
    return undefined;
  } finally {
    sockets.close();
  }
}

async function takeNumber(
  folder: string,
  number: number,
  sockets: Sockets,
  listen: typeof listenAt,
): Promise<(() => void) | undefined> {
  const name = candidatePrefix + randomBytes(6).toString('base64url');
  const candidate = join(folder, name);
  mkdirSync(candidate);
  let close: (() => void) | undefined;
  try {
    close = await listen(sockets.address(name), true);
    if (isRenamed(candidate, join(folder, nameOf(number))) && newestNumber(folder) === number) return close;
  } catch (error) {
    // An owner may have removed it as dead before this process listened: the socket, and then its folder.
    if (existsSync(candidate) && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  } finally {
    rmSync(candidate, { recursive: true, force: true });
  }
  close?.();
  return undefined;
}

/** False: another folder has the name. */
function isRenamed(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (['EEXIST', 'ENOTEMPTY', 'ENOTDIR'].includes(code ?? '')) return false;
    throw error;
  }
}

/** Removes older locks, and candidates of killed processes. Ignores errors: what is left is dead anyway. */
async function removeDead(folder: string, own: number, sockets: Sockets): Promise<void> {
  try {
    for (const name of readdirSync(folder)) {
      const isOld = numberOf(name) < own;
      const isDead =
        isOld || (name.startsWith(candidatePrefix) && !(await isListening(sockets.address(name))));
      if (isDead) rmSync(join(folder, name), { recursive: true, force: true });
    }
  } catch {}
}

function newestNumber(folder: string): number {
  const numbers = readdirSync(folder).map(numberOf);
  return Math.max(0, ...numbers.filter((number) => !Number.isNaN(number)));
}

function nameOf(number: number): string {
  return `lock.${number}`;
}

/** NaN: the name is not one of a lock. */
function numberOf(name: string): number {
  return Number(lockName.exec(name)?.[1] ?? Number.NaN);
}

interface Sockets {
  /** The address of the socket in this lock. */
  address(lock: string): string;
  close(): void;
}

/** If the path is too long, sockets are reached through a descriptor of the folder. */
function openSockets(folder: string): Sockets {
  const longest = join(folder, `${candidatePrefix}12345678`, socketName);
  if (Buffer.byteLength(longest) <= socketPathMaxBytes)
    return { address: (lock) => join(folder, lock, socketName), close: () => undefined };
  const handle = openSync(folder, 'r');
  return {
    address: (lock) => `/proc/self/fd/${handle}/${lock}/${socketName}`,
    close: () => closeSync(handle),
  };
}

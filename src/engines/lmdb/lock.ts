import { statSync } from 'node:fs';
import { listenAt } from '../../unix-sockets.ts';
import { takeNumberedLock } from './numbered-lock.ts';

/** A folder that this process owns. */
export interface Lock {
  release(): void;
}

type Release = () => void;
const nothing: Release = () => undefined;

/**
 * Takes the folder for this process; undefined: another process has it.
 *
 * A lock is a listening socket, which the kernel closes however the process ends. There are two:
 * - One in the folder, for all processes that see the folder, also from other containers.
 * - One without a file, named by the folder's device and inode (Linux). It works within one network namespace, and
 *   still protects a folder whose lock files were removed.
 *
 * `socketFile` false: the file system has no sockets. The caller guarantees that no other container uses the folder.
 */
export async function takeLock(folder: string, socketFile = true): Promise<Lock | undefined> {
  const releaseNumber = socketFile ? await takeNumberedLock(folder) : nothing;
  if (releaseNumber === undefined) return undefined;
  let releaseName: Release | undefined;
  try {
    releaseName = process.platform === 'linux' ? await listenAt(nameOf(folder)) : nothing;
  } finally {
    if (releaseName === undefined) releaseNumber();
  }
  if (releaseName === undefined) return undefined;
  const releases = [releaseNumber, releaseName];
  return { release: () => releases.forEach((release) => void release()) };
}

/** The leading NUL makes it an abstract name, not a path. */
function nameOf(folder: string): string {
  const { dev, ino } = statSync(folder, { bigint: true });
  return `\0sluice data folder ${dev}:${ino}`;
}

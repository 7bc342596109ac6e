import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isListening } from '../unix-sockets.ts';

const prefix = 'sluice-proxies-';
/** A folder without a socket is one whose process has just made it, or was killed before it listened. */
const listensWithinMs = 60_000;

/** The unix socket that a process listens on in its folder. */
export function relaySocket(folder: string): string {
  return join(folder, 'app');
}

/** Makes a folder that is closed to other users. First removes those of processes that were killed, where it may. */
export async function makeRelayFolder(parent: string): Promise<string> {
  for (const folder of foldersIn(parent)) {
    try {
      if (await isLeft(folder)) rmSync(folder, { recursive: true, force: true });
    } catch {
      // Another user's.
    }
  }
  return mkdtempSync(join(parent, prefix));
}

function foldersIn(parent: string): readonly string[] {
  try {
    const names = readdirSync(parent).filter((name) => name.startsWith(prefix));
    return names.map((name) => join(parent, name));
  } catch {
    return [];
  }
}

/** Asks the socket and not for the process, which may be another container's. */
async function isLeft(folder: string): Promise<boolean> {
  const socket = relaySocket(folder);
  if (existsSync(socket)) return !(await isListening(socket));
  const madeAtMs = statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
  return Date.now() - madeAtMs > listensWithinMs;
}

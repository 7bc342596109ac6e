import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

const prefix = 'sluice-proxies-';
/** A folder without a socket is one whose process has just made it, or was killed before it listened. */
const listensWithinMs = 60_000;

/** The unix socket that a process listens on in its folder. */
export function relaySocket(folder: string): string {
  return join(folder, 'app');
}

/** Makes a folder that is closed to other users. Removes those of processes that were killed, first. */
export async function makeRelayFolder(parent: string): Promise<string> {
  for (const name of readdirSync(parent)) {
    const folder = join(parent, name);
    if (name.startsWith(prefix) && (await isLeft(folder))) rmSync(folder, { recursive: true, force: true });
  }
  return mkdtempSync(join(parent, prefix));
}

/** Asks the socket and not for the process, which may be another container's. */
async function isLeft(folder: string): Promise<boolean> {
  const socket = connect(relaySocket(folder));
  try {
    await once(socket, 'connect');
    return false;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') return code === 'ECONNREFUSED';
    const madeAtMs = statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
    return Date.now() - madeAtMs > listensWithinMs;
  } finally {
    socket.destroy();
  }
}

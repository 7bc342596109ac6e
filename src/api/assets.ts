import { readFileSync } from 'node:fs';
import type { Assets } from './ports.ts';

/** Files of this folder, read once when they are first asked for. */
export function assetsOf(folder: URL): Assets {
  const files = new Map<string, Uint8Array | undefined>();
  return (name) => {
    if (!files.has(name)) files.set(name, read(new URL(name, folder)));
    return files.get(name);
  };
}

function read(file: URL): Uint8Array | undefined {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

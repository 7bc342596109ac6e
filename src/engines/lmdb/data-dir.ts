import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { access, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { takeLock } from './lock.ts';

/** Of the folder: what lies where, and the marker. */
const formatVersion = 1;
const markerName = 'sluice.json';
const dataName = 'data.mdb';
const lockTableName = 'lock.mdb';
/** What may be torn is kept under this name until the next such case, for whoever wants to look at it. */
const setAsideName = 'set-aside.mdb';

export type DataDirCode = 'ERR_DATA_DIR_IN_USE' | 'ERR_DATA_DIR_FORMAT' | 'ERR_DATA_DIR_FOREIGN';

/** Why a gateway does not start on this data folder. */
export class DataDirError extends Error {
  readonly code: DataDirCode;

  constructor(code: DataDirCode, message: string) {
    super(message);
    this.name = 'DataDirError';
    this.code = code;
  }
}

/** How the last gateway left the folder. */
interface Marker {
  readonly format: number;
  /** It ended in order: everything is on the disk. */
  readonly clean: boolean;
  /** Every answer that it gave was on the disk before. */
  readonly synced: boolean;
  /** Of the kernel that it ran on. */
  readonly bootId: string;
}

/** The kernel's identity from start to stop; nothing where it has none, as outside of Linux. */
export function kernelBootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}

/**
 * The folder of the store: one gateway at a time, of a format that is known, and whole.
 *
 * Without `--sync` a commit is in the kernel's memory when it is answered: a crash of the process loses nothing, but after
 * a crash of the machine the file may hold any mixture of old and new pages, and lmdb would walk into them. So such data
 * is set aside: the topics begin anew, in new epochs, and every client is told. Nothing was lost, and everything is
 * kept, when the last gateway ended in order, or synced, or ran on the kernel that still runs.
 */
export class DataDir {
  readonly path: string;
  /** Whether the data of the last gateway was set aside. */
  readonly wasSetAside: boolean;
  /** What the last gateway stored. */
  readonly #isOnDisk: boolean;
  readonly #bootId: string;
  readonly #unlock: () => void;

  private constructor(path: string, unlock: () => void, bootId: string, last: Marker | undefined) {
    const mayBeTorn =
      last !== undefined && !last.clean && !last.synced && (bootId === '' || last.bootId !== bootId);
    this.path = path;
    this.#unlock = unlock;
    this.#bootId = bootId;
    this.wasSetAside = mayBeTorn;
    this.#isOnDisk = last === undefined || last.clean || last.synced || mayBeTorn;
  }

  /**
   * Makes the folder if need be and takes it. `sync`: nothing will be answered before it is on the disk; then flush the
   * store when it is open, and `markSynced`. Rejects with a `DataDirError`.
   */
  static async take(path: string, bootId: string | undefined, sync: boolean): Promise<DataDir> {
    mkdirSync(path, { recursive: true });
    const unlock = await takeLock(path);
    if (unlock === undefined)
      throw new DataDirError('ERR_DATA_DIR_IN_USE', `another gateway runs on the data folder ${path}`);
    try {
      const dir = new DataDir(path, unlock, bootId ?? '', await readMarker(path));
      if (dir.wasSetAside) dir.#setAside();
      await dir.#mark({ clean: false, synced: sync && dir.#isOnDisk });
      return dir;
    } catch (error) {
      unlock();
      throw error;
    }
  }

  /** All that the store holds is on the disk, and from now on whatever is answered. */
  markSynced(): Promise<void> {
    return this.#mark({ clean: false, synced: true });
  }

  /** Lets the next gateway in. `clean`: the store is closed, and all of it is on the disk. */
  async release(clean: boolean): Promise<void> {
    try {
      if (clean) await this.#mark({ clean: true, synced: false });
    } finally {
      this.#unlock();
    }
  }

  #setAside(): void {
    rmSync(join(this.path, lockTableName), { force: true });
    renameSync(join(this.path, dataName), join(this.path, setAsideName));
  }

  /** On the disk when it resolves, whatever happens to the machine in between: the old or the new one, whole. */
  async #mark(state: Pick<Marker, 'clean' | 'synced'>): Promise<void> {
    const marker: Marker = { format: formatVersion, ...state, bootId: this.#bootId };
    const next = join(this.path, `${markerName}.next`);
    const file = await open(next, 'w');
    try {
      await file.writeFile(`${JSON.stringify(marker)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(next, join(this.path, markerName));
    const folder = await open(this.path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}

async function readMarker(path: string): Promise<Marker | undefined> {
  const hasData = await exists(join(path, dataName));
  if (!(await exists(join(path, markerName)))) {
    if (!hasData) return undefined;
    throw new DataDirError('ERR_DATA_DIR_FOREIGN', `${path} holds ${dataName}, but not of Sluice`);
  }
  const marker = parseMarker(await readFile(join(path, markerName), 'utf8'));
  if (marker === undefined)
    throw new DataDirError('ERR_DATA_DIR_FOREIGN', `${join(path, markerName)} is not of Sluice`);
  if (marker.format !== formatVersion)
    throw new DataDirError(
      'ERR_DATA_DIR_FORMAT',
      `${path} has the format version ${marker.format}; this version of Sluice reads ${formatVersion}`,
    );
  return hasData ? marker : undefined;
}

function parseMarker(text: string): Marker | undefined {
  try {
    const marker = JSON.parse(text) as Partial<Marker> | null;
    return typeof marker?.format === 'number' ? (marker as Marker) : undefined;
  } catch {
    return undefined;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

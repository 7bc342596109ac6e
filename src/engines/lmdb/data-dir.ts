import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { open, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { unsafeFileSystem } from './file-system.ts';
import { type Lock, takeLock } from './lock.ts';

/** Of the folder: what lies where, and the marker. */
const formatVersion = 2;
const markerName = 'sluice.json';
export const dataName = 'data.mdb';
/** Holds a text of the owner's own: if it changes, another gateway took the folder. */
const ownerName = 'owner';
const lockTableName = 'lock.mdb';
/** What may be torn is kept under this name until the next such case, for whoever wants to look at it. */
const setAsideName = 'set-aside.mdb';

export type DataDirCode =
  | 'ERR_DATA_DIR_IN_USE'
  | 'ERR_DATA_DIR_FORMAT'
  | 'ERR_DATA_DIR_FOREIGN'
  | 'ERR_DATA_DIR_FILE_SYSTEM'
  | 'ERR_DATA_DIR_DAMAGED';

/** Why a gateway does not start on this data folder. */
export class DataDirError extends Error {
  readonly code: DataDirCode;

  constructor(code: DataDirCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'DataDirError';
    this.code = code;
  }
}

/** The error of a start on a damaged file, and of a topic that can't be read. */
export function damagedData(file: string, how: string, cause?: unknown): DataDirError {
  return new DataDirError(
    'ERR_DATA_DIR_DAMAGED',
    `${file} is damaged: ${how}. Put a copy in its place, or move it away and remove ${markerName} to begin anew`,
    cause,
  );
}

/** Whether an error says that what is stored is not what was written: a checksum, or lmdb's own errors (lmdb.h: MDB_KEYEXIST and on). */
export function isDamage(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  return code === 'ERR_DATA_DIR_DAMAGED' || (typeof code === 'number' && code <= -30_780 && code >= -30_799);
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
  /** Something was stored: data.mdb must be there. */
  readonly holdsData: boolean;
  /** After a clean end: size and time of change of data.mdb, and its newest commit. */
  readonly data?: string;
  readonly seq?: number;
}

/** The kernel's identity from start to stop; nothing where it has none, as outside of Linux. */
export function kernelBootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}

export interface DataDirOptions {
  /** Also where two gateways could own the folder; the caller answers for it that there is one. */
  readonly anyFileSystem?: boolean;
  /** As statfs(2) numbers them. */
  readonly fileSystemType?: (folder: string) => number;
}

/**
 * The folder of the store: one gateway at a time, of a format that is known, and whole.
 *
 * Without `--sync` a commit is in the kernel's memory when it is answered: a crash of the process loses nothing, but after
 * a crash of the machine the file may hold any mixture of old and new pages, and lmdb would walk into them. So such data
 * is set aside: the topics begin anew, in new epochs, and every client is told. Nothing was lost, and everything is
 * kept, when the last gateway ended in order, or synced, or wrote nothing, or ran on the kernel that still runs.
 */
export class DataDir {
  readonly path: string;
  /** Whether the data of the last gateway was set aside. */
  readonly wasSetAside: boolean;
  /** The last gateway did not end in order, or the file was changed since: look at all of it before it is used. */
  readonly needsCheck: boolean;
  readonly #last: Marker | undefined;
  readonly #bootId: string;
  readonly #lock: Lock;
  readonly #owner = randomUUID();
  /** Which folder and file they were. */
  #folderIdentity: string | undefined;
  #dataIdentity: string | undefined;
  #isMarked = false;

  private constructor(path: string, lock: Lock, bootId: string, last: Marker | undefined) {
    this.path = path;
    this.#lock = lock;
    this.#bootId = bootId;
    this.#last = last;
    this.wasSetAside = last !== undefined && isUntrusted(last, bootId);
    this.needsCheck =
      last?.holdsData === true &&
      !this.wasSetAside &&
      (!last.clean || last.data !== stateOf(join(path, dataName)));
  }

  /** Makes the folder if need be and takes it. Rejects with a `DataDirError`. Changes nothing of what is stored, unless it sets it aside. */
  static async take(
    path: string,
    bootId: string | undefined,
    options: DataDirOptions = {},
  ): Promise<DataDir> {
    mkdirSync(path, { recursive: true });
    const unsafe = unsafeFileSystem(path, options.fileSystemType);
    if (unsafe !== undefined && options.anyFileSystem !== true) {
      throw new DataDirError(
        'ERR_DATA_DIR_FILE_SYSTEM',
        `the data folder ${path} is on ${unsafe}, where two gateways could use it at once: choose a folder on a local disk, or say --any-file-system if no second gateway will ever use it`,
      );
    }
    const lock = await takeLock(path, unsafe === undefined);
    if (lock === undefined)
      throw new DataDirError('ERR_DATA_DIR_IN_USE', `another gateway runs on the data folder ${path}`);
    try {
      const dir = new DataDir(path, lock, bootId ?? '', await readMarker(path, bootId ?? ''));
      await dir.#own();
      return dir;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** The newest commit that must be there; undefined: that is not known. */
  get expectedSeq(): number | undefined {
    return this.#last?.clean === true && this.#last.holdsData ? this.#last.seq : undefined;
  }

  /** `markWritten` was called. */
  get isMarked(): boolean {
    return this.#isMarked;
  }

  /** The store is open: from now on its file must stay this one. */
  watchData(): void {
    this.#dataIdentity = identityOf(join(this.path, dataName));
  }

  /** Before the first commit. `synced`: all that the store holds is on the disk, and from now on whatever is answered. */
  async markWritten(synced: boolean): Promise<void> {
    if (this.#isMarked) return;
    await this.#mark({ clean: false, synced, holdsData: true });
    this.#isMarked = true;
  }

  /** Why commits would be lost: the folder or the file is not there any more, or is another one. Cheap: call it before each. */
  lostFile(): Error | undefined {
    const data = join(this.path, dataName);
    if (this.#dataIdentity !== undefined && identityOf(data) === this.#dataIdentity) return undefined;
    return new Error(`${data} was removed or replaced while the gateway ran: stop it and put the file back`);
  }

  /** Why this gateway is not the owner of the folder any more. */
  async lostOwnership(): Promise<Error | undefined> {
    const path = join(this.path, ownerName);
    const owner = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => error);
    // The process may lack descriptors for a while: that says nothing of the folder.
    if (owner instanceof Error && isOfProcess(owner)) return undefined;
    if (owner instanceof Error) return new Error(`${path} can't be read: ${owner.message}`, { cause: owner });
    const isSame = this.#folderIdentity !== undefined && identityOf(this.path) === this.#folderIdentity;
    if (owner === this.#owner && isSame) return undefined;
    return new Error(`another gateway has taken the data folder ${this.path}`);
  }

  /** Lets the next gateway in. `clean`: the store is closed, and all of it, up to the commit `seq`, is on the disk. */
  async release(clean: boolean, seq?: number): Promise<void> {
    try {
      if (!clean) return;
      const data = stateOf(join(this.path, dataName));
      const holdsData = this.#isMarked || (!this.wasSetAside && this.#last?.holdsData === true);
      await this.#mark({ clean: true, synced: false, holdsData, data, seq });
    } finally {
      this.#lock.release();
    }
  }

  async #own(): Promise<void> {
    await writeFile(join(this.path, ownerName), this.#owner);
    // Not before: the first write to a folder of a lower layer of overlayfs may give it another identity.
    this.#folderIdentity = identityOf(this.path);
    // Before the store makes its file, which without a marker would be a stranger's.
    if (this.#last === undefined) await this.#mark({ clean: true, synced: false, holdsData: false });
    if (!this.wasSetAside) return;
    rmSync(join(this.path, lockTableName), { force: true });
    const data = join(this.path, dataName);
    if (existsSync(data)) renameSync(data, join(this.path, setAsideName));
    await this.#mark({ clean: true, synced: false, holdsData: false });
  }

  /** On the disk when it resolves, whatever happens to the machine in between: the old or the new one, whole. */
  async #mark(state: Omit<Marker, 'format' | 'bootId'>): Promise<void> {
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

/** After a crash of the machine the file may be torn. */
function isUntrusted({ holdsData, clean, synced, bootId }: Marker, now: string): boolean {
  return holdsData && !clean && !synced && (now === '' || bootId !== now);
}

async function readMarker(path: string, bootId: string): Promise<Marker | undefined> {
  const data = join(path, dataName);
  const size = statSync(data, { throwIfNoEntry: false })?.size;
  const text = await readFile(join(path, markerName), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) {
    if (size === undefined) return undefined;
    throw new DataDirError('ERR_DATA_DIR_FOREIGN', `${path} holds ${dataName}, but not of Sluice`);
  }
  const marker = parseMarker(text);
  if (marker === undefined)
    throw new DataDirError('ERR_DATA_DIR_FOREIGN', `${join(path, markerName)} is not of Sluice`);
  if (marker.format !== formatVersion)
    throw new DataDirError(
      'ERR_DATA_DIR_FORMAT',
      `${path} has the format version ${marker.format}; this version of Sluice reads ${formatVersion}`,
    );
  // A crash of the machine may leave an empty file, and a gateway that was killed while it set it aside leaves none.
  const mayLack = isUntrusted(marker, bootId) && (size === 0 || existsSync(join(path, setAsideName)));
  if (marker.holdsData && (size ?? 0) === 0 && !mayLack) {
    const what = size === undefined ? 'is missing' : 'is empty';
    throw new DataDirError(
      'ERR_DATA_DIR_DAMAGED',
      `${data} ${what}, though topics were stored in it: put it back, or remove ${join(path, markerName)} to begin anew`,
    );
  }
  return marker;
}

function isOfProcess({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM';
}

/** Undefined: it is not there, or can't be looked at. */
function identityOf(path: string): string | undefined {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats && `${stats.dev}:${stats.ino}`;
  } catch {
    return undefined;
  }
}

/** Size and time of change. */
function stateOf(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false, bigint: true });
  return stats && `${stats.size} ${stats.mtimeNs}`;
}

function parseMarker(text: string): Marker | undefined {
  try {
    const marker = JSON.parse(text) as Partial<Marker> | null;
    return typeof marker?.format === 'number' ? (marker as Marker) : undefined;
  } catch {
    return undefined;
  }
}

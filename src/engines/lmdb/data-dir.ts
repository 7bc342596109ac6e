import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DataDirError } from './data-dir-error.ts';
import { unsafeFileSystem } from './file-system.ts';
import { dataName, lockTableName, ownerName, setAsideName } from './folder-files.ts';
import { type Lock, takeLock } from './lock.ts';
import { fileAt, isUntrusted, type Marker, mayBeCopy, readMarker, stateOf, writeMarker } from './marker.ts';

/** Identifies the running kernel until it stops; undefined on other systems than Linux. */
export function kernelBootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}

export interface DataDirOptions {
  /** Allow file systems on which two gateways could own the folder. The caller guarantees that there is one. */
  readonly anyFileSystem?: boolean;
  /** Returns the number of statfs(2). */
  readonly fileSystemType?: (folder: string) => number;
}

/**
 * The folder of the store. It makes sure that one gateway at a time owns it, that the format is known, and that the
 * data is undamaged. Without `--sync` a commit is acknowledged while it is in the kernel's memory. A crash of the
 * process loses nothing, but after a crash of the machine the file may hold any mixture of old and new pages, which
 * lmdb would trust. Such data is set aside: topics begin in new epochs, and every client is told. The data is kept if
 * the last gateway ended in order, used sync, wrote nothing, or ran on the kernel that still runs. The topics of a copy
 * are kept under new epochs.
 */
export class DataDir {
  readonly path: string;
  /** Whether the data of the last gateway was set aside. */
  readonly wasSetAside: boolean;
  /** The last gateway did not end in order, or this may be a copy: the file must be checked before it is used. */
  readonly needsCheck: boolean;
  readonly #last: Marker | undefined;
  readonly #bootId: string;
  readonly #lock: Lock;
  readonly #owner = randomUUID();
  /** Device and inode of the folder and the file, to notice a replacement. */
  #folderIdentity: string | undefined;
  #dataIdentity: string | undefined;
  #isMarked = false;
  #isCopy: boolean;

  private constructor(path: string, lock: Lock, bootId: string, last: Marker | undefined) {
    this.path = path;
    this.#lock = lock;
    this.#bootId = bootId;
    this.#last = last;
    this.wasSetAside = last !== undefined && isUntrusted(last, bootId);
    this.#isCopy = last !== undefined && !this.wasSetAside && mayBeCopy(path, last);
    this.needsCheck = this.#isCopy || (last?.holdsData === true && !this.wasSetAside && !last.clean);
  }

  /** Creates the folder if needed, and takes it. Rejects with a `DataDirError`. Stored data is kept or set aside. */
  static async take(
    path: string,
    bootId: string | undefined,
    options: DataDirOptions = {},
  ): Promise<DataDir> {
    makeFolder(path);
    const unsafe = unsafeFileSystem(path, options.fileSystemType);
    if (unsafe !== undefined && options.anyFileSystem !== true)
      throw new DataDirError('ERR_DATA_DIR_FILE_SYSTEM', unsafeFolder(path, unsafe));
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

  /** The newest commit that the store must have; undefined: unknown. */
  get expectedSeq(): number | undefined {
    return this.#last?.clean === true && this.#last.holdsData ? this.#last.seq : undefined;
  }

  /** The data may be a copy: before anything else, give its topics new epochs, and then call `markRenumbered`. */
  get isCopy(): boolean {
    return this.#isCopy;
  }

  /** `markWritten` was called. */
  get isMarked(): boolean {
    return this.#isMarked;
  }

  /** The store is open: from now on `lostFile` reports a replaced file. */
  watchData(): void {
    this.#dataIdentity = identityOf(join(this.path, dataName));
  }

  /**
   * To be called before the first commit. `synced`: the content is on disk, and each commit will be when it resolves.
   */
  async markWritten(synced: boolean): Promise<void> {
    if (this.#isMarked) return;
    await this.#mark({ clean: false, synced, holdsData: true });
    this.#isMarked = true;
  }

  /** The stored topics have epochs that no other folder has. To be called after `markWritten`. */
  async markRenumbered(synced: boolean): Promise<void> {
    this.#isCopy = false;
    await this.#mark({ clean: false, synced, holdsData: true });
  }

  /**
   * Returns an error if the file was removed or replaced, so that a commit would be lost. Cheap enough for each commit.
   */
  lostFile(): Error | undefined {
    const data = join(this.path, dataName);
    if (this.#dataIdentity !== undefined && identityOf(data) === this.#dataIdentity) return undefined;
    return new Error(`${data} was removed or replaced while the gateway ran: stop it and put the file back`);
  }

  /** Returns an error if this gateway is no longer the owner of the folder. */
  async lostOwnership(): Promise<Error | undefined> {
    const path = join(this.path, ownerName);
    const owner = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => error);
    // A lack of file descriptors says nothing about the folder.
    if (owner instanceof Error && isOfProcess(owner)) return undefined;
    if (owner instanceof Error) return new Error(`${path} can't be read: ${owner.message}`, { cause: owner });
    const isSame = this.#folderIdentity !== undefined && identityOf(this.path) === this.#folderIdentity;
    if (owner === this.#owner && isSame) return undefined;
    return new Error(`another gateway has taken the data folder ${this.path}`);
  }

  /**
   * Releases the folder for the next gateway. `clean`: the store is closed, and every commit up to `seq` is on disk.
   */
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
    // It remains a copy if this gateway ends before it has renumbered the topics.
    if (this.#last !== undefined && this.#isCopy)
      await writeMarker(this.path, { ...this.#last, dataFile: undefined });
    await writeFile(join(this.path, ownerName), this.#owner);
    // Not earlier: on overlayfs the first write to a folder of a lower layer may change its identity.
    this.#folderIdentity = identityOf(this.path);
    // Before the store creates its file: without a marker it would be taken for the file of another program.
    if (this.#last === undefined) await this.#mark({ clean: true, synced: false, holdsData: false });
    if (!this.wasSetAside) return;
    rmSync(join(this.path, lockTableName), { force: true });
    const data = join(this.path, dataName);
    if (existsSync(data)) renameSync(data, join(this.path, setAsideName));
    await this.#mark({ clean: true, synced: false, holdsData: false });
  }

  #mark(state: Omit<Marker, 'format' | 'bootId' | 'dataFile' | 'markerFile'>): Promise<void> {
    const dataFile = this.#isCopy ? undefined : fileAt(join(this.path, dataName));
    return writeMarker(this.path, { ...state, bootId: this.#bootId, dataFile });
  }
}

function unsafeFolder(path: string, fileSystem: string): string {
  const remedy =
    'choose a folder on a local disk, or say --any-file-system if no second gateway will ever use it';
  return `the data folder ${path} is on ${fileSystem}, where two gateways could use it at once: ${remedy}`;
}

function isOfProcess({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM';
}

/** Returns undefined if it does not exist or can't be read. */
function identityOf(path: string): string | undefined {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats && `${stats.dev}:${stats.ino}`;
  } catch {
    return undefined;
  }
}

/**
 * Creates the folder, and those that it lies in. Node's `recursive` does not end where a file system refuses by ENOENT
 * to make a folder in one that there is, as procfs and autofs do.
 */
function makeFolder(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    if (code !== 'ENOENT' || existsSync(dirname(path))) throw error;
    makeFolder(dirname(path));
    makeFolder(path);
  }
}

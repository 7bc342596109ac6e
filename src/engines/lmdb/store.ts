import { open as openFile } from 'node:fs/promises';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { dataName } from './folder-files.ts';

interface Range {
  readonly start: Buffer;
  readonly end: Buffer;
  readonly reverse?: boolean;
  readonly limit?: number;
}

/**
 * The database in the data folder: sorted keys and values, all bytes. The only importer of lmdb.
 *
 * What a commit is, by lmdb-js 3.5.6 (README, "LMDB Flags" and "Overlapping Sync Options"; `mdb_txn_commit` in its
 * mdb.c):
 * - Without `sync` the file is opened with `noSync`. A commit writes its pages and then the page that makes them valid,
 *   with plain writes. The kernel has them all when the transaction returns, so the end of the process, however it
 *   comes, loses nothing; the order in which they reach the disk is up to the kernel. `transactionSync` runs it on
 *   this thread in some 20 us, where the way through lmdb's own thread takes 80.
 * - With `sync` it is opened with neither `noSync` nor `overlappingSync`: a commit writes its pages, flushes them
 *   (fdatasync), and then writes the page that makes them valid through a descriptor that flushes by itself (O_DSYNC).
 *   The promise of the transaction resolves after that, on lmdb's own thread. With `overlappingSync`, the default, a
 *   promise may resolve before the flush, and `flushed` would have to be awaited as well.
 */
export class Store {
  readonly #db: RootDatabase<Buffer, Buffer>;
  /** The path of the database. */
  readonly file: string;
  readonly #sync: boolean;

  /** Throws what lmdb throws. */
  constructor(folder: string, sync: boolean, readOnly = false) {
    this.file = join(folder, dataName);
    this.#sync = sync;
    this.#db = open<Buffer, Buffer>(folder, {
      encoding: 'binary',
      keyEncoding: 'binary',
      noSubdir: false,
      overlappingSync: false,
      noSync: !sync,
      readOnly,
    });
  }

  /**
   * Runs `work`, in which alone `put` and `remove` are allowed, and commits what it did, or nothing when it throws. One
   * at a time: a second may begin when the first is settled. When it rejects, nothing was committed as far as lmdb
   * can know, and the store is not to be used any more: open another.
   */
  async commit<T>(work: () => T): Promise<T> {
    if (!this.#sync) return this.#db.transactionSync(work);
    try {
      // A child transaction, because only that is rolled back when `work` throws.
      return await this.#db.childTransaction(work);
    } catch (error) {
      throw await causeOf(error);
    }
  }

  put(key: Buffer, value: Buffer): void {
    this.#db.putSync(key, value);
  }

  remove(key: Buffer): void {
    this.#db.removeSync(key);
  }

  /** Returns a copy. */
  get(key: Buffer): Buffer | undefined {
    return this.#db.getBinary(key);
  }

  entries(range: Range): Iterable<{ readonly key: Buffer; readonly value: Buffer }> {
    return this.#db.getRange(range);
  }

  keys(range: Range): Buffer[] {
    return [...this.#db.getKeys(range)];
  }

  /** Resolves when all that was committed is on the disk. */
  async flush(): Promise<void> {
    const file = await openFile(this.file, 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }

  close(): Promise<void> {
    return this.#db.close();
  }
}

/** The cause of a failed asynchronous commit is in another promise, which must be handled, too. */
async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<never> };
  if (commitError === undefined) return error;
  return commitError.catch((cause: unknown) => cause);
}

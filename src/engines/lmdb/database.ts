import { join } from 'node:path';
import { steadyNowMs } from '../../clock.ts';
import { checkData } from './check.ts';
import { DataDir, kernelBootId } from './data-dir.ts';
import { DataDirError, damagedData, isDamage } from './data-dir-error.ts';
import { DiskRoom, freeBytesOf } from './disk-room.ts';
import { dataName } from './folder-files.ts';
import type { LmdbOptions } from './options.ts';
import { renumber } from './renumber.ts';
import { Store } from './store.ts';
import { Topics } from './topics.ts';

/** How often it is checked that the folder is still this gateway's. */
const watchEveryMs = 2000;

/** Time before a failed store is tried again: each try opens it and reads all heads. */
export const failedRestMs = 100;

/** Hears what happens to the database. */
export interface DatabaseListener {
  /** It can't commit (`cause`), or can again (undefined). */
  degraded(cause: Error | undefined): void;
  /** It was opened again after a failure: these are the topics as they were committed. */
  reopened(topics: Topics): void;
}

/**
 * The store in the data folder, for one transaction at a time. It is in one of four states:
 * - open;
 * - failing: the last transaction failed, and the store was opened again, or the next transaction will try to; or the
 *   disk has no room for one;
 * - lost: the file or the folder is not this gateway's any more, so it never commits again;
 * - closed.
 */
export class Database {
  readonly #options: LmdbOptions;
  readonly #dir: DataDir;
  readonly #listener: DatabaseListener;
  readonly #sync: boolean;
  readonly #nowMs: () => number;
  readonly #room: DiskRoom;
  /** Absent while it is closed, or failed and could not be opened again. */
  #topics: Topics | undefined;
  /** Why the last transaction failed, and until when none is tried. */
  #failure: { readonly cause: unknown; readonly untilAtMs: number } | undefined;
  /** Why it is lost. */
  #lost: Error | undefined;
  #watching: NodeJS.Timeout | undefined;
  #isClosing = false;

  private constructor(options: LmdbOptions, dir: DataDir, listener: DatabaseListener, sync: boolean) {
    this.#options = options;
    this.#dir = dir;
    this.#listener = listener;
    this.#sync = sync;
    this.#nowMs = options.nowMs ?? steadyNowMs;
    const { dataDir, freeBytes = freeBytesOf } = options;
    this.#room = new DiskRoom(() => freeBytes(dataDir), this.#nowMs);
  }

  /** Rejects with a `DataDirError`, with an error of lmdb or the file system, or with the reason of `signal`. */
  static async open(
    options: LmdbOptions,
    listener: DatabaseListener,
    signal?: AbortSignal,
  ): Promise<Database> {
    const { dataDir, anyFileSystem, bootId = kernelBootId() } = options;
    const dir = await DataDir.take(dataDir, bootId, { anyFileSystem });
    // Without a boot id a restart of the machine looks like one of the process.
    const database = new Database(options, dir, listener, options.sync || bootId === undefined);
    try {
      await database.#start(signal);
    } catch (error) {
      // Throw the error of the start, not one of the cleanup.
      await database.#end(database.#topics?.store, false).catch(() => undefined);
      const isNamed = error instanceof DataDirError || !isDamage(error);
      throw isNamed ? error : damagedData(join(dataDir, dataName), error.message, error);
    }
    if (dir.wasSetAside) warnOfSetAside(dir.path);
    database.#watch();
    return database;
  }

  /** Absent while the store can't be read. */
  get topics(): Topics | undefined {
    return this.#topics;
  }

  get isFailing(): boolean {
    return this.#failure !== undefined;
  }

  /** It commits nothing before the disk has room. */
  get isFull(): boolean {
    return this.#room.isShort;
  }

  /**
   * Runs `work`, which alone may write topics, and commits what it wrote. Returns undefined, or why it was not
   * committed; then `topics` again shows what is committed, or is absent.
   */
  async transaction(work: (topics: Topics) => void): Promise<unknown> {
    if (this.#failure !== undefined && this.#nowMs() < this.#failure.untilAtMs) return this.#failure.cause;
    try {
      const lost = this.#lost ?? this.#dir.lostFile();
      if (lost !== undefined) {
        this.#lose(lost);
        return lost;
      }
      const full = this.#room.problem();
      if (full !== undefined) {
        this.#refuse(full);
        return full;
      }
      this.#topics ??= await this.#reopened();
      const topics = this.#topics;
      await this.#markWritten(topics.store);
      await topics.store.commit(() => work(topics));
    } catch (error) {
      await this.#fail(error);
      return error;
    }
    this.#recover();
    return undefined;
  }

  /**
   * To be called after the last transaction. Rejects if something could not be closed; the folder is released in any
   * case.
   */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#watching);
    const { store, seq } = this.#topics ?? {};
    this.#topics = undefined;
    let isFlushed = false;
    try {
      // The file may belong to another gateway by now: then it is neither flushed nor marked clean.
      this.#lost ??= this.#dir.lostFile() ?? (await this.#dir.lostOwnership());
      if (this.#lost === undefined && store !== undefined) {
        await store.flush();
        isFlushed = true;
      }
    } finally {
      await this.#end(store, isFlushed, seq);
    }
  }

  async #start(signal: AbortSignal | undefined): Promise<void> {
    const { dataDir, check = checkData } = this.#options;
    if (this.#dir.needsCheck) await check(dataDir, signal);
    this.#topics = await this.#openTopics();
    this.#dir.watchData();
    this.#checkSeq(this.#topics);
    if (this.#dir.isCopy) this.#topics = await this.#renumbered(this.#topics.store, signal);
    await this.#makeStates(this.#topics, signal);
  }

  /** Closes the store, and releases the folder even if that fails. */
  async #end(store: Store | undefined, isFlushed: boolean, seq?: number): Promise<void> {
    let isWhole = false;
    try {
      await store?.close();
      isWhole = isFlushed;
    } finally {
      await this.#dir.release(isWhole, seq);
    }
  }

  async #openTopics(): Promise<Topics> {
    const { dataDir, openStore = (folder, sync) => new Store(folder, sync) } = this.#options;
    const store = openStore(dataDir, this.#sync);
    try {
      return this.#topicsOf(store);
    } catch (error) {
      await store.close().catch(() => undefined);
      throw error;
    }
  }

  #topicsOf(store: Store): Topics {
    const { retention, numberingsMax, messageIds } = this.#options;
    return new Topics(store, retention, numberingsMax, messageIds);
  }

  /** Gives the topics of a copy new epochs, before anything is told of them. */
  async #renumbered(store: Store, signal: AbortSignal | undefined): Promise<Topics> {
    await this.#prepareWrites(store);
    await renumber(store, signal);
    await this.#dir.markRenumbered(this.#sync);
    warnOfCopy(this.#dir.path);
    return this.#topicsOf(store);
  }

  /** Detects a file that is undamaged but lacks commits. */
  #checkSeq({ seq }: Topics): void {
    const { path, expectedSeq = 0 } = this.#dir;
    if (seq >= expectedSeq) return;
    throw damagedData(join(path, dataName), `its newest commit is ${seq}, and ${expectedSeq} was stored`);
  }

  /** Gives topics of namespaces that became `state` their values: the newest publication per key. */
  async #makeStates(topics: Topics, signal: AbortSignal | undefined): Promise<void> {
    if (topics.missingStates.length === 0) return;
    await this.#prepareWrites(topics.store);
    for (let head = topics.missingStates.pop(); head !== undefined; head = topics.missingStates.pop()) {
      const next = head;
      await topics.store.commit(() => topics.putState(next));
      signal?.throwIfAborted();
    }
  }

  /** For commits of the start. Throws if the disk has no room. */
  async #prepareWrites(store: Store): Promise<void> {
    const full = this.#room.problem();
    if (full !== undefined) throw full;
    await this.#markWritten(store);
  }

  /** Runs once, before the first commit: from then on the data is as safe as the commits are. */
  async #markWritten(store: Store): Promise<void> {
    // Flushes earlier commits without sync, and the name of a new file.
    if (this.#sync && !this.#dir.isMarked) await store.flush();
    await this.#dir.markWritten(this.#sync);
  }

  /** Commits nothing for a while. */
  #refuse(cause: unknown): void {
    const wasUp = this.#failure === undefined;
    this.#failure = { cause, untilAtMs: this.#nowMs() + failedRestMs };
    if (wasUp) this.#listener.degraded(cause instanceof Error ? cause : new Error(String(cause)));
  }

  async #fail(cause: unknown): Promise<void> {
    this.#refuse(cause);
    // After some failures lmdb refuses or hangs until it is opened again, and `topics` has uncommitted changes.
    const broken = this.#topics;
    this.#topics = undefined;
    try {
      await broken?.store.close();
      this.#topics = await this.#reopened();
    } catch {
      // The next transaction tries to open it again, and returns the error if that fails.
    }
  }

  #recover(): void {
    if (this.#failure === undefined) return;
    this.#failure = undefined;
    this.#listener.degraded(undefined);
  }

  async #reopened(): Promise<Topics> {
    // Opening would create a new file in place of the lost one.
    const lost = this.#dir.lostFile();
    if (lost !== undefined) throw lost;
    const topics = await this.#openTopics();
    this.#listener.reopened(topics);
    return topics;
  }

  #watch(): void {
    // An error here is ignored, because it fails the next commit as well.
    this.#watching = setInterval(() => void this.#look().catch(() => undefined), watchEveryMs);
    this.#watching.unref();
  }

  async #look(): Promise<void> {
    if (this.#lost !== undefined || this.#isClosing) return;
    const lost = this.#dir.lostFile() ?? (await this.#dir.lostOwnership());
    if (lost !== undefined && !this.#isClosing) this.#lose(lost);
  }

  /** Stops all commits: they would be lost, or mixed with those of another gateway. */
  #lose(cause: Error): void {
    if (this.#lost !== undefined) return;
    this.#lost = cause;
    process.emitWarning(`${cause.message}. Nothing is stored until then.`, {
      type: 'SluiceWarning',
      code: 'SLUICE_DATA_LOST',
    });
    this.#listener.degraded(cause);
  }
}

function warnOfSetAside(path: string): void {
  process.emitWarning(
    `The machine may have stopped while ${path} was not yet on its disk, so all topics begin anew. --sync prevents it.`,
    { type: 'SluiceWarning', code: 'SLUICE_DATA_SET_ASIDE' },
  );
}

function warnOfCopy(path: string): void {
  process.emitWarning(
    `The data in ${path} is a copy, or was written by an earlier version of Sluice, so all topics get new epochs.`,
    { type: 'SluiceWarning', code: 'SLUICE_DATA_COPIED' },
  );
}

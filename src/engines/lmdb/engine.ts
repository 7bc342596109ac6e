import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { steadyNowMs } from '../../clock.ts';
import { SluiceError } from '../../errors.ts';
import type {
  AppendOutcome,
  AppendRequest,
  Engine,
  EngineFeed,
  Numbering,
  StoredTopic,
} from '../../topics/engine.ts';
import type { MessageIdLimits } from '../../topics/message-id-budget.ts';
import { type AppendBatch, appendAll } from './append-batch.ts';
import { AppendQueue, type QueuedAppend } from './append-queue.ts';
import { checkData } from './check.ts';
import { DataDir, DataDirError, damagedData, dataName, isDamage, kernelBootId } from './data-dir.ts';
import type { Head, Retention } from './head.ts';
import { writtenKey } from './keys.ts';
import { findWork, sweep } from './retention.ts';
import { Store } from './store.ts';
import { Topics } from './topics.ts';

export interface LmdbOptions {
  /** A folder of its own; made if need be. */
  readonly dataDir: string;
  /** Whether an answer also means that it is on the disk. */
  readonly sync: boolean;
  readonly retention: (topic: string) => Retention;
  /** Also on file systems where two gateways could use the folder at once. */
  readonly anyFileSystem?: boolean;
  /** Numberings of topics without content that are kept. */
  readonly numberingsMax?: number;
  readonly messageIds?: MessageIdLimits;
  /** For the stored publications of all topics; the rings of the longest idle ones give way. */
  readonly historyMaxBytes: number;
  /** Milliseconds since 1970 on a clock that does not jump. */
  readonly nowMs?: () => number;
  /** Of the running kernel. */
  readonly bootId?: string;
  /** Looks at all that is stored after an end that was not in order. */
  readonly check?: (folder: string, signal?: AbortSignal) => Promise<void>;
  /** What keeps the topics of a folder. */
  readonly openStore?: (folder: string, sync: boolean) => Store;
}

/** Publications of one transaction at most. More wait for the next, so that the event loop gets its turn. */
const requestsPerTransaction = 500;

/** How often retention looks for something to do, and whether a store that failed works again. */
const sweepEveryMs = 1000;

/** How often it looks whether the folder is still its own. */
const watchEveryMs = 2000;

/** A store that failed is not tried again before: each try opens it and reads all heads. */
export const failedRestMs = 100;

/**
 * Topics in a database on this machine's disk. They survive the end of the process at any instant and, with `sync`, of
 * the machine; `Store` says what a commit is, `DataDir` when the data is trusted.
 *
 * Group commit: one transaction is under way at a time. Whatever is asked for meanwhile, or in the same turn of the event
 * loop, goes into the next one. Only when it is committed the feed hears of it, and then the publishers.
 */
export class LmdbEngine implements Engine {
  readonly name = 'lmdb';
  readonly retains = true;
  readonly #options: LmdbOptions;
  readonly #nowMs: () => number;
  readonly #sync: boolean;
  readonly #queue = new AppendQueue();
  readonly #forgotten: Head[] = [];
  #dir: DataDir | undefined;
  #feed: EngineFeed | undefined;
  /** Absent: closed, or it failed and could not be opened again. */
  #topics: Topics | undefined;
  /** Why the last transaction failed, and until when the next is not tried. */
  #failure: { readonly cause: unknown; readonly untilAtMs: number } | undefined;
  /** What the feed has heard of. */
  #told = { epoch: '', seq: 0, forgottenSeq: 0 };
  #sweepIsDue = false;
  #sweeping: NodeJS.Timeout | undefined;
  #watching: NodeJS.Timeout | undefined;
  /** Why this gateway can't commit any more, whatever comes: the file or the folder is not its own. */
  #lost: Error | undefined;
  #running: Promise<void> | undefined;
  /** Until the feed and the publishers have heard of the transaction under way. */
  #step: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: LmdbOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? steadyNowMs;
    // Who can't tell a restart of the machine from one of the process must not depend on the difference.
    this.#sync = options.sync || this.#bootId === undefined;
  }

  /** Rejects with a `DataDirError`, with what lmdb or the file system say, or with the reason of `signal`. */
  async open(feed: EngineFeed, signal?: AbortSignal): Promise<void> {
    const { dataDir, anyFileSystem, check = checkData } = this.#options;
    const dir = await DataDir.take(dataDir, this.#bootId, { anyFileSystem });
    try {
      if (dir.needsCheck) await check(dataDir, signal);
      this.#topics = await this.#openTopics();
      dir.watchData();
      this.#checkSeq(dir, this.#topics.seq);
      await this.#makeStates(dir, this.#topics, signal);
    } catch (error) {
      // The error of the start is the one to be thrown.
      await this.#endStore(dir, this.#topics?.store, false).catch(() => undefined);
      this.#topics = undefined;
      const isNamed = error instanceof DataDirError || !isDamage(error);
      throw isNamed ? error : damagedData(join(dataDir, dataName), error.message, error);
    }
    if (dir.wasSetAside) warnOfSetAside(dir.path);
    this.#dir = dir;
    this.#feed = feed;
    this.#note(this.#topics);
    this.#sweeping = setInterval(() => {
      this.#sweepIsDue = true;
      this.#run();
    }, sweepEveryMs);
    this.#sweeping.unref();
    // What can't be looked at fails the next commit.
    this.#watching = setInterval(() => void this.#watch(dir).catch(() => undefined), watchEveryMs);
    this.#watching.unref();
  }

  get epoch(): string {
    return this.#told.epoch;
  }

  get seq(): number {
    return this.#told.seq;
  }

  get forgottenSeq(): number {
    return this.#told.forgottenSeq;
  }

  get messageIdBytes(): number {
    return this.#topics?.messageIdBudget.bytesAt(this.#nowMs()) ?? 0;
  }

  numbering(topic: string): Numbering | undefined {
    return this.#topics?.numbering(topic);
  }

  numberings(afterSeq: number): Iterable<readonly [string, Numbering]> {
    return this.#topics?.numberings(afterSeq) ?? [];
  }

  append(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    if (this.#feed === undefined || this.#closing !== undefined) {
      return Promise.resolve(requests.map(() => failed(new SluiceError('shutting_down'))));
    }
    const answers = this.#queue.add(requests);
    if (requests.length > 0) this.#run();
    return answers;
  }

  names(): Iterable<string> {
    return this.#topics?.names() ?? [];
  }

  async load(topic: string): Promise<StoredTopic | undefined> {
    // What is committed and not fed yet would come twice.
    while (this.#step !== undefined) await this.#step;
    if (this.#topics === undefined) throw new SluiceError('engine_unavailable');
    const head = this.#topics.find(topic);
    return head === undefined ? undefined : this.#topics.read(head, this.#nowMs());
  }

  forget(topic: string): boolean {
    const topics = this.#topics;
    if (topics === undefined || this.#closing !== undefined || this.#queue.has(topic)) return false;
    const head = topics.find(topic);
    if (head === undefined) return true;
    const nowMs = this.#nowMs();
    if (topics.messageIds(head, nowMs).prune(nowMs) > 0) return false;
    topics.forget(head);
    this.#forgotten.push(head);
    this.#run();
    return true;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  // ---- private

  get #bootId(): string | undefined {
    return this.#options.bootId ?? kernelBootId();
  }

  async #close(): Promise<void> {
    clearInterval(this.#sweeping);
    clearInterval(this.#watching);
    this.#sweepIsDue = false;
    while (this.#running !== undefined) await this.#running;
    const store = this.#topics?.store;
    const seq = this.#topics?.seq;
    this.#topics = undefined;
    let isFlushed = false;
    try {
      // What lies there now may be another's: it is neither flushed nor called clean.
      this.#lost ??= this.#dir?.lostFile() ?? (await this.#dir?.lostOwnership());
      if (this.#lost === undefined && store !== undefined) {
        await store.flush();
        isFlushed = true;
      }
    } finally {
      await this.#endStore(this.#dir, store, isFlushed, seq);
    }
  }

  /** Closes the store and, however that ends, releases the folder. */
  async #endStore(
    dir: DataDir | undefined,
    store: Store | undefined,
    isFlushed: boolean,
    seq?: number,
  ): Promise<void> {
    let isWhole = false;
    try {
      await store?.close();
      isWhole = isFlushed;
    } finally {
      await dir?.release(isWhole, seq);
    }
  }

  /** Namespaces that became `state`: a snapshot has the newest values of what was a stream. */
  async #makeStates(dir: DataDir, topics: Topics, signal: AbortSignal | undefined): Promise<void> {
    if (topics.missingStates.length === 0) return;
    await this.#markWritten(dir, topics);
    for (let head = topics.missingStates.pop(); head !== undefined; head = topics.missingStates.pop()) {
      const next = head;
      await topics.store.commit(() => topics.putState(next));
      signal?.throwIfAborted();
    }
  }

  /** A copy of an earlier time is whole, and yet not what was stored. */
  #checkSeq({ path, expectedSeq = 0 }: DataDir, seq: number): void {
    if (seq >= expectedSeq) return;
    throw damagedData(join(path, dataName), `its newest commit is ${seq}, and ${expectedSeq} was stored`);
  }

  #note({ epoch, seq, forgottenSeq }: Topics): void {
    this.#told = { epoch, seq, forgottenSeq };
  }

  async #openTopics(): Promise<Topics> {
    const { dataDir, openStore = (folder, sync) => new Store(folder, sync) } = this.#options;
    const { retention, numberingsMax, messageIds } = this.#options;
    const store = openStore(dataDir, this.#sync);
    try {
      return new Topics(store, retention, numberingsMax, messageIds);
    } catch (error) {
      await store.close().catch(() => undefined);
      throw error;
    }
  }

  #run(): void {
    this.#running ??= this.#steps().finally(() => {
      this.#running = undefined;
    });
  }

  get #hasWork(): boolean {
    return this.#queue.count > 0 || this.#forgotten.length > 0 || this.#sweepIsDue;
  }

  async #steps(): Promise<void> {
    do {
      // Whoever publishes in this turn shares the transaction.
      await nextTurn();
      this.#step = this.#nextStep().finally(() => {
        this.#step = undefined;
      });
      await this.#step;
    } while (this.#hasWork);
  }

  async #nextStep(): Promise<void> {
    const batch = this.#queue.take(requestsPerTransaction);
    if (batch.length > 0 || this.#forgotten.length > 0) await this.#commit(batch);
    else if (this.#sweepIsDue) await this.#sweep();
  }

  async #commit(queued: readonly QueuedAppend[]): Promise<void> {
    const requests = queued.map(({ request }) => request);
    const forgotten = [...this.#forgotten];
    let batch: AppendBatch | undefined;
    const error = await this.#transaction((topics) => {
      for (const head of forgotten) topics.putIdle(head);
      batch = appendAll(topics, requests, this.#nowMs());
    });
    if (error === undefined || this.#holds(batch)) {
      this.#forgotten.splice(0, forgotten.length);
      this.#tell(queued, batch as AppendBatch);
    } else {
      const outcome = failed(new SluiceError('engine_unavailable', undefined, { cause: error }));
      this.#queue.answer(queued, () => outcome);
    }
  }

  /** The feed hears of it, then the publishers: also when the feed breaks, which is nobody's but its own fault. */
  #tell(queued: readonly QueuedAppend[], { outcomes, appended }: AppendBatch): void {
    try {
      for (const { head, epoch, publications } of appended) {
        this.#feed?.appended(head.name, epoch, publications);
        this.#topics?.told(head.name);
      }
    } finally {
      if (this.#topics !== undefined) this.#note(this.#topics);
      this.#queue.answer(queued, (i) => outcomes[i] as AppendOutcome);
    }
  }

  /** Whether a failed commit was one all the same: what the store that was opened behind it says. */
  #holds(batch: AppendBatch | undefined): boolean {
    const [first] = batch?.appended ?? [];
    if (first === undefined) return false;
    const head = this.#topics?.find(first.head.name);
    return head?.epoch === first.epoch && head.offset === first.publications.at(-1)?.offset;
  }

  async #sweep(): Promise<void> {
    this.#sweepIsDue = false;
    if (this.#failure !== undefined) {
      await this.#transaction(({ store }) => store.put(writtenKey, Buffer.of(1)));
      return;
    }
    const { historyMaxBytes } = this.#options;
    const nowMs = this.#nowMs();
    const work = this.#topics && findWork(this.#topics, historyMaxBytes, nowMs);
    if (work === undefined) return;
    let isDone = true;
    const error = await this.#transaction((topics) => {
      isDone = sweep(topics, work, historyMaxBytes, nowMs);
    });
    if (error === undefined && !isDone && this.#closing === undefined) this.#sweepIsDue = true;
  }

  /** Answers why it was not committed. Then the cache is as the store is, or there is none. */
  async #transaction(work: (topics: Topics) => void): Promise<unknown> {
    if (this.#failure !== undefined && this.#nowMs() < this.#failure.untilAtMs) return this.#failure.cause;
    try {
      const lost = this.#lost ?? this.#dir?.lostFile();
      if (lost !== undefined) {
        this.#loseFolder(lost);
        return lost;
      }
      this.#topics ??= await this.#reopened();
      const topics = this.#topics;
      await this.#markWritten(this.#dir as DataDir, topics);
      await topics.store.commit(() => work(topics));
    } catch (error) {
      await this.#fail(error);
      return error;
    }
    if (this.#failure !== undefined) {
      this.#failure = undefined;
      this.#feed?.degraded(undefined);
    }
    return undefined;
  }

  /** Once, before the first commit: from then on the data is as safe as the commits are. */
  async #markWritten(dir: DataDir, { store }: Topics): Promise<void> {
    // What a process without sync left, and the name of a file that was just made.
    if (this.#sync && !dir.isMarked) await store.flush();
    await dir.markWritten(this.#sync);
  }

  async #watch(dir: DataDir): Promise<void> {
    if (this.#lost !== undefined || this.#closing !== undefined) return;
    const lost = dir.lostFile() ?? (await dir.lostOwnership());
    if (lost !== undefined && this.#closing === undefined) this.#loseFolder(lost);
  }

  /** For good: what is committed now would be lost, or mixed with what another gateway writes. */
  #loseFolder(cause: Error): void {
    if (this.#lost !== undefined) return;
    this.#lost = cause;
    process.emitWarning(`${cause.message}. Nothing is stored until then.`, {
      type: 'SluiceWarning',
      code: 'SLUICE_DATA_LOST',
    });
    this.#feed?.degraded(cause);
  }

  async #fail(cause: unknown): Promise<void> {
    const wasUp = this.#failure === undefined;
    this.#failure = { cause, untilAtMs: this.#nowMs() + failedRestMs };
    if (wasUp) this.#feed?.degraded(cause instanceof Error ? cause : new Error(String(cause)));
    // After some failures lmdb refuses or hangs until it is opened anew; and the cache is ahead of the store.
    const broken = this.#topics;
    this.#topics = undefined;
    try {
      await broken?.store.close();
      this.#topics = await this.#reopened();
    } catch {
      // The next transaction tries to open it again, and says why that fails.
    }
  }

  async #reopened(): Promise<Topics> {
    // Opening would make a new file in its place.
    const lost = this.#dir?.lostFile();
    if (lost !== undefined) throw lost;
    const topics = await this.#openTopics();
    for (const { name, number } of this.#forgotten) {
      const head = topics.find(name);
      if (head?.number === number) topics.forget(head);
    }
    return topics;
  }
}

function failed(error: SluiceError): AppendOutcome {
  return { ok: false, error };
}

function warnOfSetAside(path: string): void {
  process.emitWarning(
    `The machine may have stopped while ${path} was not yet on its disk, so all topics begin anew. --sync prevents it.`,
    { type: 'SluiceWarning', code: 'SLUICE_DATA_SET_ASIDE' },
  );
}

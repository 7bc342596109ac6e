import { setImmediate as nextTurn } from 'node:timers/promises';
import { steadyNowMs } from '../../clock.ts';
import { SluiceError } from '../../errors.ts';
import type {
  AcknowledgedPositions,
  AppendOutcome,
  AppendRequest,
  Engine,
  EngineFeed,
  Numbering,
  StoredTopic,
} from '../../topics/engine.ts';
import { AppendQueue, failed, type QueuedAppend } from '../append-queue.ts';
import { type AppendBatch, appendAll } from './append-batch.ts';
import { Database } from './database.ts';
import type { TopicHead } from './head.ts';
import { writtenKey } from './keys.ts';
import type { LmdbOptions } from './options.ts';
import { findWork, sweep } from './retention.ts';
import { StoredAcknowledged } from './stored-acknowledged.ts';
import type { Topics } from './topics.ts';

/** Maximum publications per transaction. Further ones wait for the next, so that the event loop gets its turn. */
const requestsPerTransaction = 500;

const noneWritten = (): void => undefined;

/** How often retention runs, and a failed store is tried again. */
const sweepEveryMs = 1000;

/**
 * Topics in a database on the disk of this machine. They survive a crash of the process at any instant and, with
 * `sync`, of the machine. `Store` says what a commit is, `DataDir` when the data is trusted. Group commit: one
 * transaction is under way at a time. Requests that come meanwhile, or in the same turn of the event loop, share the
 * next one. After a commit first the feed hears of it, then the publishers.
 */
export class LmdbEngine implements Engine {
  readonly name = 'lmdb';
  readonly retains = true;
  /** Half of it are pages of the file, which the kernel may free. */
  readonly topicBytes = 1800;
  readonly #options: LmdbOptions;
  readonly #nowMs: () => number;
  readonly #queue = new AppendQueue();
  /** Forgotten topics, not committed as such yet. */
  readonly #forgotten: TopicHead[] = [];
  readonly #stored: StoredAcknowledged;
  #database: Database | undefined;
  #feed: EngineFeed | undefined;
  /** What the feed has heard of. */
  #told = { epoch: '', seq: 0, forgottenSeq: 0 };
  #sweepIsDue = false;
  #sweeping: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  /** Resolves when the feed and the publishers have heard of the transaction under way. */
  #step: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: LmdbOptions) {
    this.#options = options;
    this.#nowMs = options.nowMs ?? steadyNowMs;
    this.#stored = new StoredAcknowledged(options.acknowledged);
  }

  /** Rejects with a `DataDirError`, with an error of lmdb or the file system, or with the reason of `signal`. */
  async open(feed: EngineFeed, signal?: AbortSignal): Promise<void> {
    const listener = {
      degraded: (cause: Error | undefined) => feed.degraded(cause),
      reopened: (topics: Topics) => this.#forgetAgain(topics),
    };
    this.#database = await Database.open(this.#options, listener, signal);
    this.#feed = feed;
    if (this.#topics !== undefined) this.#stored.read(this.#topics.store);
    this.#note();
    this.#sweeping = setInterval(() => {
      this.#sweepIsDue = true;
      this.#run();
    }, sweepEveryMs);
    this.#sweeping.unref();
  }

  get isAway(): boolean {
    return this.#database?.isFull === true;
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

  get acknowledged(): AcknowledgedPositions {
    return this.#stored.positions;
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
    const outcomes = this.#queue.add(requests);
    if (requests.length > 0) this.#run();
    return outcomes;
  }

  /** The next sweep deletes them. */
  evict(topic: string, upto: number): void {
    const head = this.#topics?.find(topic);
    if (head !== undefined) head.evictUpto = Math.max(head.evictUpto, upto);
  }

  names(): Iterable<string> {
    return this.#topics?.names() ?? [];
  }

  async load(topic: string): Promise<StoredTopic | undefined> {
    // Otherwise publications that are committed but not fed yet would come twice.
    while (this.#step !== undefined) await this.#step;
    const topics = this.#topics;
    if (topics === undefined) throw new SluiceError('engine_unavailable');
    const head = topics.find(topic);
    return head === undefined ? undefined : topics.read(head, this.#nowMs());
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

  get #topics(): Topics | undefined {
    return this.#database?.topics;
  }

  async #close(): Promise<void> {
    clearInterval(this.#sweeping);
    this.#sweepIsDue = false;
    while (this.#running !== undefined) await this.#running;
    await this.#writeAcknowledged();
    await this.#database?.close();
  }

  /** Forgets topics again in a store that was reopened, because that was not committed. */
  #forgetAgain(topics: Topics): void {
    for (const { name, number } of this.#forgotten) {
      const head = topics.find(name);
      if (head?.number === number) topics.forget(head);
    }
  }

  #note(): void {
    if (this.#topics === undefined) return;
    const { epoch, seq, forgottenSeq } = this.#topics;
    this.#told = { epoch, seq, forgottenSeq };
  }

  #run(): void {
    this.#running ??= this.#steps();
  }

  get #hasWork(): boolean {
    return this.#queue.count > 0 || this.#forgotten.length > 0 || this.#sweepIsDue;
  }

  async #steps(): Promise<void> {
    try {
      do {
        // All requests of this turn share the transaction.
        await nextTurn();
        this.#step = this.#nextStep().finally(() => {
          this.#step = undefined;
        });
        await this.#step;
      } while (this.#hasWork);
    } finally {
      // In the same step as the last look at the work: what comes later begins anew.
      this.#running = undefined;
    }
  }

  async #nextStep(): Promise<void> {
    const queued = this.#queue.take(requestsPerTransaction);
    if (queued.length > 0 || this.#forgotten.length > 0) await this.#commit(queued);
    else if (this.#sweepIsDue) await this.#sweep();
  }

  async #commit(queued: readonly QueuedAppend[]): Promise<void> {
    const requests = queued.map(({ request }) => request);
    const forgotten = [...this.#forgotten];
    let batch: AppendBatch | undefined;
    let written = noneWritten;
    const error = await this.#transaction((topics) => {
      written = this.#stored.write(topics.store);
      for (const head of forgotten) topics.putIdle(head);
      batch = appendAll(topics, requests, this.#nowMs());
    });
    if (error === undefined) written();
    if (error === undefined || this.#isCommitted(batch)) {
      this.#forgotten.splice(0, forgotten.length);
      this.#tell(queued, batch as AppendBatch);
    } else {
      const outcome = failed(new SluiceError('engine_unavailable', undefined, { cause: error }));
      this.#queue.settle(queued, () => outcome);
    }
  }

  /** Tells the feed, then the publishers, even if the feed throws. */
  #tell(queued: readonly QueuedAppend[], { outcomes, appended }: AppendBatch): void {
    try {
      for (const { head, epoch, publications } of appended) {
        this.#feed?.appended(head.name, epoch, publications);
        this.#topics?.told(head.name);
      }
    } finally {
      this.#note();
      this.#queue.settle(queued, (i) => outcomes[i] as AppendOutcome);
    }
  }

  /**
   * Whether a commit that reported a failure has succeeded all the same, according to the store that was reopened after
   * it.
   */
  #isCommitted(batch: AppendBatch | undefined): boolean {
    const [first] = batch?.appended ?? [];
    if (first === undefined) return false;
    const head = this.#topics?.find(first.head.name);
    return head?.epoch === first.epoch && head.offset === first.publications.at(-1)?.offset;
  }

  async #sweep(): Promise<void> {
    this.#sweepIsDue = false;
    if (this.#database?.isFailing === true) {
      await this.#transaction(({ store }) => store.put(writtenKey, Buffer.of(1)));
      return;
    }
    await this.#writeAcknowledged();
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

  async #writeAcknowledged(): Promise<void> {
    if (!this.#stored.hasUnwritten || this.#database === undefined) return;
    let written = noneWritten;
    const error = await this.#transaction(({ store }) => {
      written = this.#stored.write(store);
    });
    if (error === undefined) written();
  }

  #transaction(work: (topics: Topics) => void): Promise<unknown> {
    return (this.#database as Database).transaction(work);
  }
}

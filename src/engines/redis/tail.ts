import { isAfter, type LogEntry } from './log.ts';
import type { Server, TailEntries } from './server.ts';

/** How a node hears of the log, and of the messages of other nodes, over one link. */
export interface Tail {
  /** Resolves once it hears of everything. Rejects if the server can't be reached. */
  start(): Promise<void>;
  /** Called after each greeting, with the newest entry of the log. Rejects if the log is not heard any more. */
  check(newest: string): Promise<void>;
  /** The feed was not told of a commit. Absent: it hears of everything without a feed. */
  missed?(): void;
}

/** The link whose log is heard. */
export interface Listening {
  /** The entry of the log that was read last. */
  readonly last: string;
  /** The message of another node that was read last. */
  readonly lastMessage: string;
  readonly isOver: boolean;
  /** Takes what was read. Throws if it does not continue the log. */
  take(read: TailEntries): void;
  lose(cause: Error): void;
}

/** Entries of one read. */
const readAtOnce = 256;
/** Messages of the feed that may wait for a read. More are read from the log. */
const waitingMax = 1000;

/**
 * Hears of the log by its feed, over the connection that batches and greetings go by as well: whatever answers there
 * has told of all earlier commits. What the feed leaves out is read from the log, and once after each greeting and
 * after each batch of this node that the feed was not told of.
 */
export class PushedTail implements Tail {
  readonly #tail: Server;
  readonly #commands: Server;
  readonly #link: Listening;
  #reading: Promise<void> | undefined;
  /** The log must be read once more. */
  #isWanted = false;
  /** Entries that came while the log was read before them. */
  #waiting: (readonly LogEntry[])[] = [];

  constructor(tail: Server, commands: Server, link: Listening) {
    this.#tail = tail;
    this.#commands = commands;
    this.#link = link;
  }

  async start(): Promise<void> {
    this.#tail.follow((entries) => this.#hear(entries));
    await this.check();
  }

  check(): Promise<void> {
    this.#isWanted = true;
    this.#reading ??= this.#read();
    return this.#reading;
  }

  missed(): void {
    this.check().catch((error: Error) => this.#link.lose(error));
  }

  #hear(entries: readonly LogEntry[]): void {
    if (this.#link.isOver) return;
    try {
      if (entries.length > 0 && this.#take(entries)) return;
    } catch (error) {
      this.#link.lose(error as Error);
      return;
    }
    if (this.#waiting.length < waitingMax) this.#waiting.push(entries);
    this.missed();
  }

  /** Returns false if entries before these are missing. */
  #take(entries: readonly LogEntry[]): boolean {
    const { last } = this.#link;
    const from = follows(entries[0], last) ? 0 : entries.findIndex(({ id }) => isAfter(id, last));
    if (from === -1) return true;
    if (!follows(entries[from], last)) return false;
    this.#link.take({ log: from === 0 ? entries : entries.slice(from), messages: [] });
    return true;
  }

  async #read(): Promise<void> {
    try {
      while (this.#isWanted && !this.#link.isOver) await this.#readOnce();
    } finally {
      // In the turn of the last look at what is wanted: a check that comes later begins another read.
      this.#reading = undefined;
    }
  }

  async #readOnce(): Promise<void> {
    this.#isWanted = false;
    const { last, lastMessage } = this.#link;
    const { log, messages } = await this.#commands.read(last, lastMessage, readAtOnce);
    if (this.#link.isOver) return;
    // Some may have come by the feed meanwhile.
    const newer = last === this.#link.last ? log : log.filter(({ id }) => isAfter(id, this.#link.last));
    this.#link.take({ log: newer, messages });
    const waiting = this.#waiting;
    this.#waiting = [];
    const isLevel = waiting.every((entries) => entries.length === 0 || this.#take(entries));
    if (!isLevel || log.length === readAtOnce || messages.length === readAtOnce) this.#isWanted = true;
  }
}

function follows(entry: LogEntry | undefined, last: string): boolean {
  return entry?.about.startsWith(`${last} `) === true;
}

/** How long a read of the log waits at most. */
const blockMaxMs = 1000;

/**
 * Hears of the log by reads that wait for it: in a cluster, all of whose servers would repeat a feed, and where Redis
 * lacks what a feed needs.
 */
export class ReadTail implements Tail {
  readonly #tail: Server;
  readonly #link: Listening;
  /** How long a reply may take. */
  readonly #timeoutMs: number;
  readonly #blockMs: number;
  /** When the read of the log began that is under way. */
  #readAtMs = 0;
  /** The entry that was read last at the previous check, if the log had more. */
  #silentAt = '';

  constructor(tail: Server, link: Listening, timeoutMs: number) {
    this.#tail = tail;
    this.#link = link;
    this.#timeoutMs = timeoutMs;
    this.#blockMs = Math.min(blockMaxMs, Math.ceil(timeoutMs / 2));
  }

  async start(): Promise<void> {
    while (!this.#link.isOver) {
      this.#readAtMs = performance.now();
      const news = await this.#tail.read(this.#link.last, this.#link.lastMessage, readAtOnce, this.#blockMs);
      if (!this.#link.isOver) this.#link.take(news);
    }
  }

  /** Commands work: so should the log. Looked at here, as a timer for each read costs more than the read. */
  async check(newest: string): Promise<void> {
    if (performance.now() - this.#readAtMs > this.#blockMs + this.#timeoutMs)
      throw new Error('Redis does not answer');
    const { last } = this.#link;
    if (newest !== last && this.#silentAt === last) throw new Error('the log of Redis is silent');
    this.#silentAt = newest === last ? '' : last;
  }
}

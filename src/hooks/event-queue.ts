/** At most this many events in a batch, and bytes. */
const batchMaxEvents = 500;
const batchMaxBytes = 256 * 1024;
/** Topics of one page of a resync. */
const resyncPageTopics = 1000;

export interface Resync {
  readonly page: number;
  readonly last: boolean;
  /** Absent: another gateway reports which topics are occupied. */
  readonly topics?: readonly string[];
}

export interface EventBatch {
  readonly events: readonly string[];
  /** Absent: the batch continues after the one before. */
  readonly resync?: Resync;
  readonly bytes: number;
}

interface QueuedEvent {
  readonly event: string;
  readonly bytes: number;
  readonly isOccupancy: boolean;
}

/**
 * Keeps events as JSON texts, in order, until they are acknowledged. When they exceed `maxBytes` all are dropped and a
 * resync follows: the topics that are occupied when its first page is taken, in pages, and then the events that wait.
 */
export class EventQueue {
  readonly #maxBytes: number;
  readonly #occupied: () => readonly string[] | undefined;
  #events: QueuedEvent[] = [];
  #bytes = 0;
  /** The page that comes next, and the topics from the first page on; undefined: there is no resync. */
  #resync: { readonly topics?: readonly string[] | undefined; readonly page: number } | undefined = {
    page: 0,
  };
  #flight: EventBatch | undefined;
  #dropped = 0;

  /** The first batch is a resync. `occupied`: returns the occupied topics. */
  constructor(maxBytes: number, occupied: () => readonly string[] | undefined) {
    this.#maxBytes = maxBytes;
    this.#occupied = occupied;
  }

  /** Bytes of the events that wait or are under way. */
  get bytes(): number {
    return this.#bytes + (this.#flight?.bytes ?? 0);
  }

  get dropped(): number {
    return this.#dropped;
  }

  get isEmpty(): boolean {
    return this.#flight === undefined && this.#events.length === 0 && this.#resync === undefined;
  }

  /** Call it once `occupied` has the change that the event reports. `isOccupancy`: a resync says the same. */
  add(event: string, isOccupancy = false): void {
    const bytes = Buffer.byteLength(event);
    if (this.bytes + bytes <= this.#maxBytes) {
      this.#events.push({ event, bytes, isOccupancy });
      this.#bytes += bytes;
      return;
    }
    this.#dropped += this.#events.length + 1;
    this.#events = [];
    this.#bytes = 0;
    this.resync();
  }

  /** Begins a resync. The events that wait follow it, except those that it makes superfluous. */
  resync(): void {
    // All topics are looked at only when its turn comes: while the application is away, each event may begin one.
    this.#resync = { page: 0 };
  }

  /** The next batch, the same until `acknowledged`; undefined: there is none. */
  next(): EventBatch | undefined {
    this.#flight ??= this.#take();
    return this.#flight;
  }

  /** Returns how many events the batch had. */
  acknowledged(): number {
    const count = this.#flight?.events.length ?? 0;
    this.#flight = undefined;
    return count;
  }

  /** Returns the occupied topics, and drops the events that say the same. */
  #beginResync(): readonly string[] | undefined {
    this.#events = this.#events.filter(({ isOccupancy }) => !isOccupancy);
    this.#bytes = this.#events.reduce((sum, { bytes }) => sum + bytes, 0);
    return this.#occupied();
  }

  #take(): EventBatch | undefined {
    if (this.#resync !== undefined) return this.#takePage(this.#resync.topics, this.#resync.page);
    if (this.#events.length === 0) return undefined;
    let count = 0;
    let bytes = 0;
    for (const { bytes: size } of this.#events) {
      if (count > 0 && (count === batchMaxEvents || bytes + size > batchMaxBytes)) break;
      count++;
      bytes += size;
    }
    this.#bytes -= bytes;
    return { events: this.#events.splice(0, count).map(({ event }) => event), bytes };
  }

  #takePage(known: readonly string[] | undefined, page: number): EventBatch {
    const topics = page === 0 ? this.#beginResync() : known;
    if (topics === undefined) {
      this.#resync = undefined;
      return { events: [], resync: { page: 1, last: true }, bytes: 0 };
    }
    const from = page * resyncPageTopics;
    const last = from + resyncPageTopics >= topics.length;
    this.#resync = last ? undefined : { topics, page: page + 1 };
    const part = topics.slice(from, from + resyncPageTopics);
    return { events: [], resync: { page: page + 1, last, topics: part }, bytes: 0 };
  }
}

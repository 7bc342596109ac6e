import { localError, type PublishError } from './publish-error.ts';

/** A request to the gateway that is to be acknowledged. */
export interface Entry {
  readonly method: 'POST' | 'PUT';
  readonly path: string;
  /** Entries of the same order, such as a topic, do not overtake each other. */
  readonly order: string;
  readonly body: Uint8Array;
  /** When the publisher gives it up, on the clock of the queue. */
  readonly expiresAtMs: number;
  /** Its messageId is generated: to its publisher a repeat is not a duplicate. */
  readonly hidesDuplicate: boolean;
  readonly resolve: (result: Readonly<Record<string, unknown>>) => void;
  readonly reject: (error: PublishError) => void;
  /** A request with it had no response: whether it was published is unknown. */
  isUnsure: boolean;
  isSettled: boolean;
}

/** Which orders may be sent now, and which of them in one request. */
export interface SendingOrders {
  mayBeSent(order: string): boolean;
  mayShare(order: string, other: string): boolean;
}

export interface QueueLimits {
  readonly queueMaxPublications: number;
  readonly queueMaxBytes: number;
}

/** Entries in the order in which they came, from the call to their end. All expire after the same time. */
export class Queue {
  readonly #limits: QueueLimits;
  #entries: Entry[] = [];
  #bytes = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#entries.length;
  }

  get first(): Entry | undefined {
    return this.#entries[0];
  }

  /** Throws `queue_full`. */
  add(entry: Entry): void {
    const { queueMaxPublications, queueMaxBytes } = this.#limits;
    const { length } = entry.body;
    if (this.#entries.length >= queueMaxPublications)
      throw localError('queue_full', `${queueMaxPublications} publications wait already`);
    if (this.#bytes + length > queueMaxBytes)
      throw localError('queue_full', `with ${length} bytes more than ${queueMaxBytes} would wait`);
    this.#bytes += length;
    this.#entries.push(entry);
  }

  /**
   * The next ones that can go in one request, without taking them out: those of the first one's path, if that takes
   * batches, up to these limits, and at least one. Only those whose order may be sent now, with the others.
   */
  next(batchPath: string, maxEntries: number, maxBytes: number, orders: SendingOrders): readonly Entry[] {
    const next: Entry[] = [];
    let bytes = 0;
    for (const entry of this.#entries) {
      if (!orders.mayBeSent(entry.order)) continue;
      if (next[0] !== undefined && !orders.mayShare(next[0].order, entry.order)) continue;
      bytes += entry.body.length + 1;
      const isMore = entry.path !== batchPath || next.length === maxEntries || bytes >= maxBytes;
      if (next.length > 0 && isMore) break;
      next.push(entry);
      if (entry.path !== batchPath) break;
    }
    return next;
  }

  /** All that wait. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** Takes out what is settled. */
  prune(): void {
    this.#entries = this.#entries.filter(({ isSettled, body }) => {
      if (isSettled) this.#bytes -= body.length;
      return !isSettled;
    });
  }
}

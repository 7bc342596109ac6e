import { localError, PublishError } from './publish-error.ts';

/** A publication or report that waits for its acknowledgement. */
export interface QueuedPublication {
  readonly method: 'POST' | 'PUT';
  readonly path: string;
  /** Entries with the same order, such as a topic, are sent in turn: none overtakes another. */
  readonly order: string;
  readonly body: Uint8Array;
  /** When the publisher gives up, on the clock of the queue. */
  readonly expiresAtMs: number;
  /** Its messageId is generated, so a repeat is not reported as a duplicate. */
  readonly hidesDuplicate: boolean;
  readonly resolve: (result: Readonly<Record<string, unknown>>) => void;
  readonly reject: (error: PublishError) => void;
  /** A request with it got no response, so it may have been published. */
  isUnsure: boolean;
  isSettled: boolean;
}

/** Which orders may be sent, and which of them may share a request. The answers do not change while it is used. */
export interface SendingOrders {
  mayBeSent(order: string): boolean;
  mayShare(order: string, other: string): boolean;
}

export interface QueueLimits {
  readonly queueMaxPublications: number;
  readonly queueMaxBytes: number;
}

/** Entries in the order of their calls, until each is settled. All have the same time to live. */
export class Queue {
  readonly #limits: QueueLimits;
  #entries: QueuedPublication[] = [];
  #bytes = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#entries.length;
  }

  get first(): QueuedPublication | undefined {
    return this.#entries[0];
  }

  /** Throws `queue_full`. */
  add(entry: QueuedPublication): void {
    const { queueMaxPublications, queueMaxBytes } = this.#limits;
    const { length } = entry.body;
    if (length > queueMaxBytes)
      throw new PublishError('queue_full', `it has ${length} bytes: more than queueMaxBytes`, false);
    if (this.#entries.length >= queueMaxPublications)
      throw localError('queue_full', `${queueMaxPublications} publications wait already`);
    if (this.#bytes + length > queueMaxBytes)
      throw localError('queue_full', `with ${length} bytes more than ${queueMaxBytes} would wait`);
    this.#bytes += length;
    this.#entries.push(entry);
  }

  /**
   * The next entries for one request; they stay in the queue. They have the path of the first one, if that path takes
   * batches, and stay within these limits, but there is at least one. Only entries whose order may be sent now,
   * together with the others.
   */
  next(
    batchPath: string,
    maxEntries: number,
    maxBytes: number,
    orders: SendingOrders,
  ): readonly QueuedPublication[] {
    const next: QueuedPublication[] = [];
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

  /** All waiting entries. */
  get entries(): readonly QueuedPublication[] {
    return this.#entries;
  }

  /** Removes settled entries. */
  prune(): void {
    this.#entries = this.#entries.filter(({ isSettled, body }) => {
      if (isSettled) this.#bytes -= body.length;
      return !isSettled;
    });
  }
}

import { LinkedMap } from './linked-map.ts';
import type { Topic } from './topic.ts';
import type { Maker } from './topic-shares.ts';

/** Measured with 200 000: what is kept for each topic that a client has published to. It is charged as content. */
export const partBytes = 155;

/** A sweep takes about a millisecond. */
const looksPerSweep = 5000;

/** What a client has published to one topic: one publication, or several of a stream, whose newest has the offset. */
export interface Published {
  readonly topic: string;
  readonly offset: number;
  readonly bytes: number;
  /** Of a value. */
  readonly key?: string | undefined;
}

/** What one client has published that the history of a topic may still hold. */
class Part {
  readonly topic: Topic;
  readonly #epoch: string;
  bytes = 0;
  /** Of the newest. */
  offset = 0;
  /** Those of its bytes that were published up to this offset count until all of them are gone. */
  #olderBytes = 0;
  #olderOffset = 0;

  constructor(topic: Topic) {
    this.topic = topic;
    this.#epoch = topic.epoch;
  }

  /** How many of its bytes the history is known not to hold any more. */
  get goneBytes(): number {
    const { ring, epoch } = this.topic;
    if (ring.count === 0 || epoch !== this.#epoch || ring.reach >= this.offset) return this.bytes;
    return ring.reach >= this.#olderOffset ? this.#olderBytes : 0;
  }

  /** It no longer counts these bytes, the oldest. */
  giveBack(bytes: number): void {
    this.bytes -= bytes;
    this.#olderBytes = Math.max(0, this.#olderBytes - bytes);
    if (this.#olderBytes > 0) return;
    this.#olderBytes = this.bytes;
    this.#olderOffset = this.offset;
  }
}

/** What is kept of one client's. */
class Share {
  stateBytes = 0;
  historyBytes = 0;
  /** By topic, in the order of their last publication by this client. */
  readonly parts = new LinkedMap<string, Part>();

  get bytes(): number {
    return this.stateBytes + this.historyBytes + partBytes * this.parts.size;
  }

  get isEmpty(): boolean {
    return this.stateBytes === 0 && this.parts.size === 0;
  }

  publish(topic: Topic, { offset, bytes }: Published): void {
    const known = this.parts.get(topic.name);
    // A topic of another node may not hold this one yet.
    const held = Math.max(topic.ring.bytes, bytes);
    if (known !== undefined) this.giveBack(known, Math.max(known.goneBytes, known.bytes + bytes - held));
    const part = this.parts.get(topic.name) ?? new Part(topic);
    part.bytes += bytes;
    part.offset = Math.max(part.offset, offset);
    this.historyBytes += bytes;
    this.parts.set(topic.name, part);
  }

  /** The part no longer counts these bytes. */
  giveBack(part: Part, bytes: number): void {
    part.giveBack(bytes);
    this.historyBytes -= bytes;
    if (part.bytes <= 0) this.parts.delete(part.topic.name);
  }
}

/**
 * How much is kept of what each client has published. A client is charged for a value until it is replaced or removed.
 * A history does not say who published what in it: a client is charged for what it published to a topic within the last
 * two lengths of its history, and for no more than all of that.
 */
export class ContentShares {
  readonly #byAccount = new Map<string, Share>();
  readonly #maxBytes: number;
  /** The looks that are left of a round. */
  #round: Generator<void> | undefined;

  /** `maxBytes`: of each client. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The bytes of the values that this client has published. */
  stateBytesOf({ account }: Maker): number {
    return this.#byAccount.get(account)?.stateBytes ?? 0;
  }

  published({ account }: Maker, topic: Topic, published: Published): void {
    let share = this.#byAccount.get(account);
    if (share === undefined) {
      share = new Share();
      this.#byAccount.set(account, share);
    }
    share.publish(topic, published);
    const { key, offset } = published;
    if (key !== undefined) topic.state?.charge(key, offset, share);
  }

  /**
   * Above its share, takes from the topics that the client has not published to for longest, never from `newest`.
   * Yields how many bytes of their history are to be evicted.
   */
  *surplus({ account }: Maker, newest: string): Iterable<readonly [Topic, number]> {
    const share = this.#byAccount.get(account);
    while (share !== undefined && share.bytes > this.#maxBytes) {
      const oldest = share.parts.oldest;
      if (oldest === undefined || oldest.key === newest) return;
      const part = oldest.value;
      const held = Math.min(part.bytes - part.goneBytes, part.topic.ring.bytes);
      const evicted = Math.min(held, share.bytes - this.#maxBytes);
      share.giveBack(part, part.bytes - held + evicted);
      if (evicted > 0) yield [part.topic, evicted];
    }
  }

  /** Stops charging for what topics do not hold any more. All are looked at in as many calls as it takes. */
  sweep(): void {
    this.#round ??= this.#looks();
    for (let i = 0; i < looksPerSweep; i++)
      if (this.#round.next().done === true) {
        this.#round = undefined;
        return;
      }
  }

  *#looks(): Generator<void> {
    for (const [account, share] of this.#byAccount) {
      for (const part of share.parts.oldestFirst()) {
        const { goneBytes } = part;
        if (goneBytes > 0) share.giveBack(part, goneBytes);
        yield;
      }
      if (share.isEmpty) this.#byAccount.delete(account);
      yield;
    }
  }
}

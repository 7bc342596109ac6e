import { LinkedMap } from './linked-map.ts';
import type { Topic } from './topic.ts';
import type { Maker } from './topic-shares.ts';

/** Measured with 200 000: what is kept for each topic that a client has published to. It is charged as content. */
export const partBytes = 150;

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
  bytes = 0;
  /** Of the newest. */
  offset = 0;

  constructor(topic: Topic) {
    this.topic = topic;
  }

  get isGone(): boolean {
    const { ring } = this.topic;
    return ring.count === 0 || ring.reach >= this.offset;
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
    if (known?.isGone) this.giveBack(known, known.bytes);
    const part = this.parts.get(topic.name) ?? new Part(topic);
    // A topic of another node may not hold this one yet.
    const more = Math.min(bytes, Math.max(topic.ring.bytes, bytes) - part.bytes);
    part.bytes += more;
    part.offset = offset;
    this.historyBytes += more;
    this.parts.set(topic.name, part);
  }

  /** The part no longer counts these bytes. */
  giveBack(part: Part, bytes: number): void {
    part.bytes -= bytes;
    this.historyBytes -= bytes;
    if (part.bytes <= 0) this.parts.delete(part.topic.name);
  }

  dropGone(): void {
    for (let part = this.parts.oldest?.value; part?.isGone; part = this.parts.oldest?.value)
      this.giveBack(part, part.bytes);
  }
}

/**
 * How much is kept of what each client has published. A client is charged for a value until it is replaced or removed.
 * A history does not say who published what in it: of these a client is charged for all that it published to a topic,
 * at most for what the topic holds, until the newest is evicted.
 */
export class ContentShares {
  readonly #byAccount = new Map<string, Share>();
  readonly #maxBytes: number;

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
      const held = part.isGone ? 0 : Math.min(part.bytes, part.topic.ring.bytes);
      const evicted = Math.min(held, share.bytes - this.#maxBytes);
      share.giveBack(part, part.bytes - held + evicted);
      if (evicted > 0) yield [part.topic, evicted];
    }
  }

  /** No longer charges clients for what their topics do not hold any more. */
  sweep(): void {
    for (const [account, share] of this.#byAccount) {
      share.dropGone();
      if (share.isEmpty) this.#byAccount.delete(account);
    }
  }
}

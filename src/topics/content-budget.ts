import { ContentShares, type Published } from './content-shares.ts';
import { LinkedMap } from './linked-map.ts';
import type { Payer } from './payer.ts';
import type { StoredPublication } from './publication.ts';
import type { Topic } from './topic.ts';
import { type Maker, makerOf } from './topic-shares.ts';

export interface ContentLimits {
  /** For the rings and states of all topics. */
  readonly historyMaxBytes: number;
  /** For what one client published to them. */
  readonly historyMaxBytesPerClient: number;
}

/** The part of all bytes that values of clients leave to those of the operator. */
const operatorShare = 1 / 4;

/** How many bytes of values a payer may add. */
export interface StateRoom {
  readonly bytes: number;
  /** The payer has less than there are. */
  readonly isShare: boolean;
}

/**
 * Counts the bytes of the rings and states of all topics, and keeps them within one limit, and what is kept of one
 * client within another. Whatever changes the content of a topic runs in `change`.
 */
export class ContentBudget {
  readonly #limits: ContentLimits;
  readonly #shares: ContentShares;
  readonly #contentChanged: (topic: Topic) => void;
  readonly #surplusEvicted: (topic: Topic) => void;
  /** Topics with publications in their ring, in the order of their last use. */
  readonly #rings = new LinkedMap<string, Topic>();
  #ringBytes = 0;
  #stateBytes = 0;

  /**
   * `contentChanged` is called for a topic that has got its first content, or lost its last; `surplusEvicted` for one
   * whose ring gave way to another of a client.
   */
  constructor(
    limits: ContentLimits,
    contentChanged: (topic: Topic) => void,
    surplusEvicted: (topic: Topic) => void,
  ) {
    this.#limits = limits;
    this.#contentChanged = contentChanged;
    this.#surplusEvicted = surplusEvicted;
    this.#shares = new ContentShares(limits.historyMaxBytesPerClient);
  }

  /** The bytes of all rings and states. */
  get bytes(): number {
    return this.#ringBytes + this.#stateBytes;
  }

  /** A client may hold no more than it leaves free, so that there is room for clients that come later. */
  stateRoom(payer: Payer | undefined): StateRoom {
    const { historyMaxBytes, historyMaxBytesPerClient } = this.#limits;
    const free = historyMaxBytes - this.#stateBytes;
    const maker = makerOf(payer);
    if (maker === undefined) return { bytes: free, isShare: false };
    const held = this.#shares.stateBytesOf(maker);
    const open = free - historyMaxBytes * operatorShare;
    return { bytes: Math.min(historyMaxBytesPerClient - held, (open - held) / 2), isShare: true };
  }

  /** Runs the change and counts the bytes that it adds or takes. */
  change(topic: Topic, change: () => void): void {
    const { ring, state, holdsContent } = topic;
    const ringBytes = ring.bytes;
    const stateBytes = state?.bytes ?? 0;
    change();
    this.#changed(topic, ringBytes, stateBytes, holdsContent);
  }

  /** As `change` with `topic.apply`, but without a closure for each publication (`bench -- unicast --allocations`). */
  apply(topic: Topic, epoch: string, publications: readonly StoredPublication[]): void {
    const { ring, state, holdsContent } = topic;
    const ringBytes = ring.bytes;
    const stateBytes = state?.bytes ?? 0;
    topic.apply(epoch, publications);
    this.#changed(topic, ringBytes, stateBytes, holdsContent);
  }

  /**
   * Charges the client for what it has published to the topic. Above its share, evicts as many bytes of the oldest
   * publications of the topics that it has not published to for longest; this one keeps its own.
   */
  published(maker: Maker, topic: Topic, published: Published): void {
    this.#shares.published(maker, topic, published);
    for (const [surplus, bytes] of this.#shares.surplus(maker, topic.name)) {
      this.change(surplus, () => surplus.ring.evictOldest(bytes));
      this.#surplusEvicted(surplus);
    }
  }

  /**
   * The topic is the last to have been used. Above the limit of all, empties the rings of the topics that have been
   * idle for longest; this one keeps its own. Epochs, offsets and states stay.
   */
  used(topic: Topic): void {
    if (topic.ring.count > 0) this.#rings.set(topic.name, topic);
    while (this.bytes > this.#limits.historyMaxBytes && this.#rings.size > 1)
      this.#empty(this.#rings.oldest?.value as Topic);
  }

  /** Clients are no longer charged for what was evicted. */
  sweep(): void {
    this.#shares.sweep();
  }

  /** It had these bytes before. */
  #changed(topic: Topic, ringBytes: number, stateBytes: number, heldContent: boolean): void {
    const { ring, state } = topic;
    const moreRing = ring.bytes - ringBytes;
    const moreState = (state?.bytes ?? 0) - stateBytes;
    this.#ringBytes += moreRing;
    this.#stateBytes += moreState;
    if (ring.count === 0) this.#rings.delete(topic.name);
    if (topic.holdsContent !== heldContent) this.#contentChanged(topic);
  }

  #empty(idle: Topic): void {
    this.change(idle, () => idle.ring.evictAll());
  }
}

import { ContentShares } from './content-shares.ts';
import { LinkedMap } from './linked-map.ts';
import type { Payer } from './payer.ts';
import type { StoredPublication } from './publication.ts';
import type { Topic } from './topic.ts';
import { makerOf } from './topic-shares.ts';

export interface ContentLimits {
  /** For the rings and states of all topics. */
  readonly historyMaxBytes: number;
  /** For those of the topics that one client made. */
  readonly historyMaxBytesPerClient: number;
}

/** The part of all bytes that values of clients leave to those of the operator. */
const operatorShare = 1 / 4;
/** How full of values everything may be for clients to add some to topics that they have not made. */
const foreignShare = 1 / 2;

/** How many bytes of values a payer may add. */
export interface StateRoom {
  /** Undefined: an operator. */
  readonly account: string | undefined;
  /** To topics that it made. */
  readonly own: number;
  /** To others. */
  readonly foreign: number;
}

/**
 * Counts the bytes of the rings and states of all topics, and keeps them within one limit, and those of the topics of
 * one client within another. Whatever changes the content of a topic runs in `change`.
 */
export class ContentBudget {
  readonly #limits: ContentLimits;
  readonly #shares = new ContentShares();
  readonly #contentChanged: (topic: Topic) => void;
  /** Topics with publications in their ring, in the order of their last use. */
  readonly #rings = new LinkedMap<string, Topic>();
  #ringBytes = 0;
  #stateBytes = 0;

  /** `contentChanged` is called for a topic that has got its first content, or lost its last. */
  constructor(limits: ContentLimits, contentChanged: (topic: Topic) => void) {
    this.#limits = limits;
    this.#contentChanged = contentChanged;
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
    if (maker === undefined) return { account: undefined, own: free, foreign: free };
    const held = this.#shares.stateBytesOf(maker);
    const open = free - historyMaxBytes * operatorShare;
    const own = Math.min(historyMaxBytesPerClient - held, (open - held) / 2);
    return { account: maker.account, own, foreign: free - historyMaxBytes * foreignShare };
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

  /** The topic has got its `maker`, and had content before. */
  charge(topic: Topic): void {
    this.#shares.changed(topic, topic.bytes, topic.state?.bytes ?? 0);
    this.used(topic);
  }

  /**
   * The topic is the last to have been used. Over a limit, empties the rings of the topics that have been idle for
   * longest, of its client or of all; this one keeps its own. Epochs, offsets and states stay.
   */
  used(topic: Topic): void {
    if (topic.ring.count > 0) this.#rings.set(topic.name, topic);
    this.#shares.used(topic);
    const { historyMaxBytes, historyMaxBytesPerClient } = this.#limits;
    for (;;) {
      const idle = this.#shares.idleAbove(topic, historyMaxBytesPerClient);
      if (idle === undefined) break;
      this.#empty(idle);
    }
    while (this.bytes > historyMaxBytes && this.#rings.size > 1)
      this.#empty(this.#rings.oldest?.value as Topic);
  }

  /** It had these bytes before. */
  #changed(topic: Topic, ringBytes: number, stateBytes: number, heldContent: boolean): void {
    const { ring, state } = topic;
    const moreRing = ring.bytes - ringBytes;
    const moreState = (state?.bytes ?? 0) - stateBytes;
    this.#ringBytes += moreRing;
    this.#stateBytes += moreState;
    if (ring.count === 0) this.#rings.delete(topic.name);
    // The topic gets its `maker` in this call.
    if (topic.holdsContent !== heldContent) this.#contentChanged(topic);
    this.#shares.changed(topic, moreRing + moreState, moreState);
  }

  #empty(idle: Topic): void {
    this.change(idle, () => idle.ring.evictAll());
  }
}

import type { Payer } from './payer.ts';
import type { Topic } from './topic.ts';
import { isReserved } from './topic-name.ts';
import { type Maker, makerOf, type ShareRoom, type TopicLimits, TopicShares } from './topic-shares.ts';

/** A topic that publishes under way will begin. */
interface Coming {
  /** Publishes whose outcome is not known yet. */
  publishes: number;
  /** Charged already. */
  readonly maker: Maker | undefined;
}

/** How many topics one call may begin, and how many bytes they may take. */
export interface TopicRoom extends ShareRoom {
  /** The client has less room than there are places. */
  readonly isShare: boolean;
}

/**
 * Counts topics against `topicsMax`: those that hold content, those that are empty and can't be removed yet (their
 * message ids live), and those that publishes under way will begin. A topic that is only subscribed to does not count,
 * nor do Sluice's own. As long as it counts, a topic is charged to the client that began it on this node; one that was
 * there when the gateway started is charged to no one.
 */
export class TopicPlaces {
  readonly #topicsMax: number;
  readonly #shares: TopicShares;
  #filled = 0;
  readonly #emptied = new Set<string>();
  readonly #coming = new Map<string, Coming>();

  constructor(limits: TopicLimits) {
    this.#topicsMax = limits.topicsMax;
    this.#shares = new TopicShares(limits);
  }

  /** Topics that exist. */
  get taken(): number {
    return this.#filled + this.#emptied.size;
  }

  /** How many topics a call of this payer may begin. */
  room(payer: Payer | undefined): TopicRoom {
    const free = Math.max(0, this.#topicsMax - this.taken - this.#coming.size);
    const room = this.#shares.room(payer, free);
    return { ...room, isShare: room.topics < free };
  }

  /** Whether a publish to this topic needs one more place. */
  needsOne(name: string, topic: Topic | undefined): boolean {
    return topic?.holdsContent !== true && !this.#emptied.has(name) && !this.#coming.has(name);
  }

  /** The topic has got its first content, or lost its last. */
  contentChanged(topic: Topic): void {
    if (isReserved(topic.name)) return;
    if (topic.holdsContent) this.#fill(topic);
    else this.#empty(topic);
  }

  #fill(topic: Topic): void {
    this.#filled++;
    const coming = this.#coming.get(topic.name);
    this.#coming.delete(topic.name);
    if (this.#emptied.delete(topic.name)) {
      // Its place is charged already.
      this.#shares.remove(coming?.maker, topic.name);
    } else if (coming !== undefined) topic.chargeTo(coming.maker);
    else this.#shares.add(topic.maker, topic.name);
  }

  #empty(topic: Topic): void {
    this.#filled--;
    if (topic.holds === 0) this.#emptied.add(topic.name);
    else this.#shares.remove(topic.maker, topic.name);
  }

  /** It is empty and its removal was refused. */
  stays({ name, maker }: Topic): void {
    if (isReserved(name) || this.#emptied.has(name)) return;
    this.#emptied.add(name);
    this.#shares.add(maker, name);
  }

  /** It was removed, or is only subscribed to. */
  free({ name, maker }: Topic): void {
    if (this.#emptied.delete(name)) this.#shares.remove(maker, name);
  }

  /** A publish of this payer is under way that will begin this topic. */
  expect(name: string, payer: Payer | undefined): void {
    if (isReserved(name)) return;
    const coming = this.#coming.get(name);
    if (coming !== undefined) {
      coming.publishes++;
      return;
    }
    const maker = makerOf(payer);
    this.#coming.set(name, { publishes: 1, maker });
    this.#shares.add(maker, name);
  }

  /** The outcome of that publish is known. */
  arrived(name: string): void {
    const coming = this.#coming.get(name);
    if (coming === undefined || --coming.publishes > 0) return;
    this.#coming.delete(name);
    this.#shares.remove(coming.maker, name);
  }
}

import type { Mode } from '../protocol/frames.ts';
import { namespaceOf } from '../protocol/namespace.ts';
import type { Engine } from './engine.ts';
import type { Payer } from './payer.ts';
import type { Topic, TopicOptions } from './topic.ts';
import { isReserved } from './topic-name.ts';
import {
  type Maker,
  makerOf,
  type ShareRoom,
  type TopicLimits,
  TopicShares,
  topicBytesOf,
} from './topic-shares.ts';

/** A topic that publishes under way will begin. */
interface Coming {
  /** Publishes whose outcome is not known yet. */
  publishes: number;
  /** Charged already, for these bytes. */
  readonly maker: Maker | undefined;
  readonly bytes: number;
}

export interface TopicPlacesOptions extends TopicLimits {
  readonly engine: Pick<Engine, 'topicBytes'>;
  readonly namespace: (name: string) => Pick<TopicOptions, 'mode'>;
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
  readonly #options: TopicPlacesOptions;
  readonly #shares: TopicShares;
  #filled = 0;
  readonly #emptied = new Set<string>();
  readonly #coming = new Map<string, Coming>();

  constructor(options: TopicPlacesOptions) {
    this.#options = options;
    this.#shares = new TopicShares(options);
  }

  /** Topics that exist. */
  get taken(): number {
    return this.#filled + this.#emptied.size;
  }

  /** How many topics a call of this payer may begin. */
  room(payer: Payer | undefined): TopicRoom {
    const free = Math.max(0, this.#options.topicsMax - this.taken - this.#coming.size);
    const room = this.#shares.room(payer, free);
    return { ...room, isShare: room.topics < free };
  }

  /** What a topic that is yet to be made will take, without its content. */
  bytesOf(name: string): number {
    return this.#bytesOf(name, this.#options.namespace(namespaceOf(name)).mode);
  }

  #bytesOf(name: string, mode: Mode): number {
    return topicBytesOf(name, mode) + (this.#options.engine.topicBytes ?? 0);
  }

  #charge(topic: Topic): void {
    this.#shares.add(topic.maker, this.#bytesOf(topic.name, modeOf(topic)));
  }

  #giveBack(topic: Topic): void {
    this.#shares.remove(topic.maker, this.#bytesOf(topic.name, modeOf(topic)));
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
    if (coming !== undefined) this.#shares.remove(coming.maker, coming.bytes);
    // Its place is charged already.
    if (this.#emptied.delete(topic.name)) return;
    if (coming !== undefined) topic.chargeTo(coming.maker);
    this.#charge(topic);
  }

  #empty(topic: Topic): void {
    this.#filled--;
    if (topic.holds === 0) this.#emptied.add(topic.name);
    else this.#giveBack(topic);
  }

  /** It is empty and its removal was refused. */
  stays(topic: Topic): void {
    if (isReserved(topic.name) || this.#emptied.has(topic.name)) return;
    this.#emptied.add(topic.name);
    this.#charge(topic);
  }

  /** It was removed, or is only subscribed to. */
  free(topic: Topic): void {
    if (this.#emptied.delete(topic.name)) this.#giveBack(topic);
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
    const bytes = this.bytesOf(name);
    this.#coming.set(name, { publishes: 1, maker, bytes });
    this.#shares.add(maker, bytes);
  }

  /** The outcome of that publish is known. */
  arrived(name: string): void {
    const coming = this.#coming.get(name);
    if (coming === undefined || --coming.publishes > 0) return;
    this.#coming.delete(name);
    this.#shares.remove(coming.maker, coming.bytes);
  }
}

/** The mode that it was made in. */
function modeOf({ state }: Topic): Mode {
  return state === undefined ? 'stream' : 'state';
}

import type { SluiceError } from '../errors.ts';
import type { Mode } from '../protocol/frames.ts';
import { namespaceOf } from '../protocol/namespace.ts';
import type { Published } from './content-shares.ts';
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
  /** It was charged to the maker as one that begins. */
  readonly isNew: boolean;
}

/** Charges clients for new topics, which have no numbering, and hears of what they make and publish. */
export interface Makers {
  /** Charges a new topic that is about to begin. Returns why it may not, or nothing. */
  take(maker: Maker): SluiceError | undefined;
  /** It did not begin. */
  giveBack(maker: Maker): void;
  /** A client has made this topic on this node. */
  made(topic: string, maker: Maker, isNew: boolean): void;
  /** A client has published this on this node. */
  published(published: Published, maker: Maker): void;
}

export interface TopicPlacesOptions extends TopicLimits {
  readonly engine: Pick<Engine, 'topicBytes' | 'numbering'>;
  readonly namespace: (name: string) => Pick<TopicOptions, 'mode'>;
  /** Absent: where no client publishes. */
  readonly makers?: Makers | undefined;
}

/** How many topics one call may begin, and how many bytes they may take. */
export interface TopicRoom extends ShareRoom {
  /** The client has less room than there are places. */
  readonly isShare: boolean;
}

/**
 * Counts topics against `topicsMax`: those that hold content, those that are empty and can't be removed yet (their
 * message ids live), and those that publishes under way will begin. A topic that is only subscribed to does not count,
 * nor do Sluice's own. As long as it counts, a topic is charged to the client that began it; one that was there when
 * this process started is charged to no one.
 */
export class TopicPlaces {
  readonly #options: TopicPlacesOptions;
  readonly #shares: TopicShares;
  #filled = 0;
  readonly #emptied = new Set<string>();
  readonly #coming = new Map<string, Coming>();
  readonly #topics: ReadonlyMap<string, Topic>;

  constructor(options: TopicPlacesOptions, topics: ReadonlyMap<string, Topic>) {
    this.#options = options;
    this.#topics = topics;
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

  /**
   * Charges the payer for a topic that it is about to begin, if it is a new one. Returns why it may not, or nothing.
   * `before`: why it may not begin another new one, by the same call.
   */
  beginProblem(name: string, payer: Payer | undefined, before?: SluiceError): SluiceError | undefined {
    const maker = makerOf(payer);
    if (maker === undefined || this.#hasNumbering(name)) return undefined;
    return before ?? this.#options.makers?.take(maker);
  }

  /** The next publication of the topic continues a numbering. */
  #hasNumbering(name: string): boolean {
    return (this.#topics.get(name)?.epoch ?? '') !== '' || this.#options.engine.numbering(name) !== undefined;
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
    // Who has made it elsewhere is told later.
    topic.chargeTo(coming?.maker);
    this.#charge(topic);
    if (coming?.maker !== undefined) this.#options.makers?.made(topic.name, coming.maker, coming.isNew);
  }

  /** Charges a client for topics that it has made on another node, where no one is charged yet. */
  madeElsewhere(maker: Maker, names: readonly string[]): void {
    for (const name of names) {
      const topic = this.#topics.get(name);
      if (topic?.holdsContent !== true || topic.maker !== undefined) continue;
      topic.chargeTo(maker);
      this.#charge(topic);
    }
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

  /** A publish of this payer is under way that will begin this topic. Call it in the turn of `beginProblem`. */
  expect(name: string, payer: Payer | undefined): void {
    if (isReserved(name)) return;
    const coming = this.#coming.get(name);
    if (coming !== undefined) {
      coming.publishes++;
      return;
    }
    const maker = makerOf(payer);
    const bytes = this.bytesOf(name);
    this.#coming.set(name, { publishes: 1, maker, bytes, isNew: !this.#hasNumbering(name) });
    this.#shares.add(maker, bytes);
  }

  /** The outcome of that publish is known. */
  arrived(name: string): void {
    const coming = this.#coming.get(name);
    if (coming === undefined || --coming.publishes > 0) return;
    this.#coming.delete(name);
    const { maker, bytes, isNew } = coming;
    this.#shares.remove(maker, bytes);
    if (maker !== undefined && isNew) this.#options.makers?.giveBack(maker);
  }
}

/** The mode that it was made in. */
function modeOf({ state }: Topic): Mode {
  return state === undefined ? 'stream' : 'state';
}

import type { Position } from '../protocol/frames.ts';
import type { AcknowledgedPositions } from './engine.ts';
import { LinkedMap } from './linked-map.ts';

/** Bounds of what is kept: about 200 bytes each. */
export interface AcknowledgedLimits {
  /** The limit of all users together. */
  readonly total: number;
  /** Per user. A user has few inboxes, and can't push out the positions of others by having more. */
  readonly perUser: number;
}

const acknowledgedLimits: AcknowledgedLimits = { total: 100_000, perUser: 100 };

/** Hears what an engine has to store, or to tell other nodes. */
export interface AcknowledgedListener {
  /** A client of this node has had more than was known. */
  noted?(topic: string, user: string, position: Position): void;
  /** The position is no longer kept. */
  dropped?(topic: string, user: string): void;
}

/**
 * Up to which position clients of each user have had a topic. Over a limit the least recently used position is dropped;
 * its user is then sent again what the ring holds.
 */
export class Acknowledged implements AcknowledgedPositions {
  readonly #limits: AcknowledgedLimits;
  /** By user and topic, each in the order of their last use. */
  readonly #users = new LinkedMap<string, LinkedMap<string, Position>>();
  readonly #listener: AcknowledgedListener;
  #count = 0;

  constructor(limits = acknowledgedLimits, listener: AcknowledgedListener = {}) {
    this.#limits = limits;
    this.#listener = listener;
  }

  get count(): number {
    return this.#count;
  }

  get(topic: string, user: string): Position | undefined {
    return this.#users.get(user)?.get(topic);
  }

  *entries(): Iterable<readonly [topic: string, user: string, position: Position]> {
    for (const [user, topics] of this.#users.newestFirst())
      for (const [topic, position] of topics.newestFirst()) yield [topic, user, position];
  }

  set(topic: string, user: string, position: Position): void {
    if (this.learn(topic, user, position)) this.#listener.noted?.(topic, user, position);
  }

  /**
   * The same of a client of another node, or of an earlier process. Returns whether it is news: another epoch, or a
   * larger offset of the same epoch.
   */
  learn(topic: string, user: string, position: Position): boolean {
    const topics = this.#users.get(user) ?? new LinkedMap<string, Position>();
    const former = topics.get(topic);
    if (former?.epoch === position.epoch && former.offset >= position.offset) return false;
    if (former === undefined) this.#count++;
    topics.set(topic, position);
    this.#users.set(user, topics);
    if (topics.size > this.#limits.perUser) this.#drop(user, topics);
    while (this.#count > this.#limits.total) {
      const { key, value } = this.#users.oldest as { key: string; value: LinkedMap<string, Position> };
      this.#drop(key, value);
    }
    return true;
  }

  /** Drops the user's least recently used position. */
  #drop(user: string, topics: LinkedMap<string, Position>): void {
    const { key: topic } = topics.oldest as { key: string };
    topics.delete(topic);
    if (topics.size === 0) this.#users.delete(user);
    this.#count--;
    this.#listener.dropped?.(topic, user);
  }
}

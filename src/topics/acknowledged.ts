import type { Position } from '../protocol/frames.ts';
import { LinkedMap } from './linked-map.ts';

/** Bounds of what is kept: about 200 bytes each. */
export interface AcknowledgedLimits {
  /** Of all users. */
  readonly total: number;
  /** Per user. A user has few inboxes, and can't push out the positions of others by having more. */
  readonly perUser: number;
}

const acknowledgedLimits: AcknowledgedLimits = { total: 100_000, perUser: 100 };

/**
 * Up to which position clients of each user have had a topic. Over a limit the least recently used position is dropped;
 * its user is then sent again what the ring holds.
 */
export class Acknowledged {
  readonly #limits: AcknowledgedLimits;
  /** By user and topic, each in the order of their last use. */
  readonly #users = new LinkedMap<string, LinkedMap<string, Position>>();
  readonly #dropped: (topic: string, user: string) => void;
  #count = 0;

  /** `dropped` is called for each position that is dropped. */
  constructor(limits = acknowledgedLimits, dropped: (topic: string, user: string) => void = () => undefined) {
    this.#limits = limits;
    this.#dropped = dropped;
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

  /** Returns whether this is new: another epoch, or a larger offset of the same epoch. */
  set(topic: string, user: string, position: Position): boolean {
    const topics = this.#users.get(user) ?? new LinkedMap<string, Position>();
    const known = topics.get(topic);
    if (known?.epoch === position.epoch && known.offset >= position.offset) return false;
    if (known === undefined) this.#count++;
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
    this.#dropped(topic, user);
  }
}

import type { Position } from '../protocol/frames.ts';
import { LinkedMap } from './linked-map.ts';

/** Bounds of what is kept: about 200 bytes each. */
export interface AcknowledgedLimits {
  /** Of all users. */
  readonly total: number;
  /** Of one user: its inboxes are few, and those of others are not to be had by making more. */
  readonly perUser: number;
}

const acknowledgedLimits: AcknowledgedLimits = { total: 100_000, perUser: 100 };

/**
 * Up to where clients of each user have had a topic. Over a limit the one is dropped that was not used for longest: its
 * user is sent again what is kept of that topic.
 */
export class Acknowledged {
  readonly #limits: AcknowledgedLimits;
  /** Per user and topic. The user, and of a user the topic, that was used last is the newest. */
  readonly #users = new LinkedMap<string, LinkedMap<string, Position>>();
  readonly #dropped: (topic: string, user: string) => void;
  #count = 0;

  /** `dropped` is called for each that is dropped. */
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

  /** Returns whether it is news: of another epoch, or a larger offset of the same. */
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

  /** The one of this user that was not used for longest. */
  #drop(user: string, topics: LinkedMap<string, Position>): void {
    const { key: topic } = topics.oldest as { key: string };
    topics.delete(topic);
    if (topics.size === 0) this.#users.delete(user);
    this.#count--;
    this.#dropped(topic, user);
  }
}

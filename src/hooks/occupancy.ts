import { isPattern } from '../topics/topic-name.ts';

/** Is told which topics become occupied and vacated. */
export interface OccupancyListener {
  occupied(topic: string): void;
  vacated(topic: string): void;
  /**
   * From now on this gateway tells the application which topics are occupied. It tells all of them again, because
   * another gateway may have told something else.
   */
  resync(): void;
}

/** The topics that have subscribers by name. A pattern occupies none. */
export interface Occupancy {
  /** Undefined: another gateway tells the application. */
  readonly topics: readonly string[] | undefined;
  subscribed(target: string): void;
  unsubscribed(target: string): void;
}

/** Counts the subscribers, or gateways, of each topic. */
export class TopicCounts {
  readonly #counts = new Map<string, number>();

  get topics(): readonly string[] {
    return [...this.#counts.keys()];
  }

  /** Returns whether it is the first. */
  add(topic: string): boolean {
    const count = this.#counts.get(topic) ?? 0;
    this.#counts.set(topic, count + 1);
    return count === 0;
  }

  /** Returns whether it was the last. */
  remove(topic: string): boolean {
    const count = this.#counts.get(topic);
    if (count === undefined) return false;
    if (count > 1) this.#counts.set(topic, count - 1);
    else this.#counts.delete(topic);
    return count === 1;
  }
}

/** The occupancy of a single gateway. */
export class LocalOccupancy implements Occupancy {
  readonly #counts = new TopicCounts();
  readonly #listener: OccupancyListener;

  constructor(listener: OccupancyListener) {
    this.#listener = listener;
  }

  get topics(): readonly string[] {
    return this.#counts.topics;
  }

  subscribed(target: string): void {
    if (!isPattern(target) && this.#counts.add(target)) this.#listener.occupied(target);
  }

  unsubscribed(target: string): void {
    if (this.#counts.remove(target)) this.#listener.vacated(target);
  }
}

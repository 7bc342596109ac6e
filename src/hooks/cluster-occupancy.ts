import { isPattern } from '../topics/topic-name.ts';
import { type Occupancy, type OccupancyListener, TopicCounts } from './occupancy.ts';

/** What gateways tell each other of the topics that they occupy. */
export type OccupancyNews =
  | { readonly changed: readonly (readonly [topic: string, isOccupied: boolean])[] }
  /** All topics that it occupies. `asks`: the others are to tell theirs. */
  | { readonly all: readonly string[]; readonly asks: boolean }
  /** The number of its topics, and a checksum of their names. A gateway that knows other ones asks for all of them. */
  | { readonly count: number; readonly sum: number };

export interface OtherGateways {
  readonly name: string;
  /** The names of the other gateways that can be reached. */
  readonly others: Iterable<string>;
  /** Other gateways can't be reached: news are lost in both directions. */
  readonly isAway: boolean;
  tell(news: OccupancyNews): void;
}

export interface ClusterOccupancyOptions {
  readonly gateways: OtherGateways;
  readonly listener: OccupancyListener;
  readonly monotonicMs: () => number;
}

/** A gateway that has not told its topics within this time has none: it sends no events, or has just ended. */
const tellWithinMs = 2000;
const compareEveryMs = 5000;

interface OtherGateway {
  readonly topics: Set<string>;
  sum: number;
}

/**
 * The occupancy of several gateways that share an engine. Each knows the topics of all. The gateway whose name sorts
 * first tells the application: a topic is occupied as long as it has a subscriber at any gateway. While a gateway that
 * joined has not told its topics yet, the application is told nothing; after that all occupied topics are told anew.
 */
export class ClusterOccupancy implements Occupancy {
  readonly #options: ClusterOccupancyOptions;
  readonly #own = new TopicCounts();
  #ownSum = 0;
  readonly #others = new Map<string, OtherGateway>();
  /** Gateways that have not told their topics yet. */
  readonly #silent = new Set<string>();
  /** By how many gateways each topic is occupied. */
  readonly #gateways = new TopicCounts();
  #speaks = false;
  #wasAway = true;
  #silentUntilMs = 0;
  #comparedAtMs = 0;
  #changes: (readonly [topic: string, isOccupied: boolean])[] = [];

  constructor(options: ClusterOccupancyOptions) {
    this.#options = options;
  }

  get topics(): readonly string[] | undefined {
    return this.#speaks ? this.#gateways.topics : undefined;
  }

  subscribed(target: string): void {
    if (isPattern(target) || !this.#own.add(target)) return;
    this.#ownChanged(target, true);
    this.#add(target);
  }

  unsubscribed(target: string): void {
    if (!this.#own.remove(target)) return;
    this.#ownChanged(target, false);
    this.#remove(target);
  }

  /** Other gateways joined, or this one can hear them again. Call it also once the engine is open. */
  came(): void {
    const { gateways, monotonicMs } = this.#options;
    this.#speaks = false;
    this.#silent.clear();
    for (const name of gateways.others) this.#silent.add(name);
    this.#silentUntilMs = monotonicMs() + tellWithinMs;
    this.#tellAll(true);
    this.#decide();
  }

  gone(name: string): void {
    this.#forget(name);
    this.#silent.delete(name);
    this.#decide();
  }

  heard(from: string, news: OccupancyNews): void {
    if ('all' in news) this.#heardAll(from, news.all, news.asks);
    else if ('changed' in news) this.#heardChanges(from, news.changed);
    else this.#compare(from, news);
  }

  /** Call it about once a second. */
  sweep(): void {
    const { gateways, monotonicMs } = this.#options;
    const nowMs = monotonicMs();
    if (gateways.isAway) {
      this.#wasAway = true;
      this.#speaks = false;
      return;
    }
    if (this.#wasAway) {
      this.#wasAway = false;
      this.came();
    }
    if (this.#silent.size > 0 && nowMs >= this.#silentUntilMs) {
      for (const name of this.#silent) this.#forget(name);
      this.#silent.clear();
    }
    this.#decide();
    if (nowMs - this.#comparedAtMs < compareEveryMs) return;
    this.#comparedAtMs = nowMs;
    this.#flush();
    gateways.tell({ count: this.#own.topics.length, sum: this.#ownSum });
  }

  #heardAll(from: string, topics: readonly string[], asks: boolean): void {
    const isNew = !this.#others.has(from);
    const before = this.#others.get(from)?.topics ?? new Set();
    const after = new Set(topics);
    this.#others.set(from, { topics: after, sum: sumOf(after) });
    for (const topic of after) if (!before.has(topic)) this.#add(topic);
    for (const topic of before) if (!after.has(topic)) this.#remove(topic);
    this.#silent.delete(from);
    if (asks) this.#tellAll(false);
    // It may have told the application only its own topics.
    if (isNew) this.#speaks = false;
    this.#decide();
  }

  #heardChanges(from: string, changes: readonly (readonly [topic: string, isOccupied: boolean])[]): void {
    const other = this.#others.get(from);
    if (other === undefined) return;
    for (const [topic, isOccupied] of changes) {
      if (other.topics.has(topic) === isOccupied) continue;
      other.sum ^= hashOf(topic);
      if (isOccupied) {
        other.topics.add(topic);
        this.#add(topic);
      } else {
        other.topics.delete(topic);
        this.#remove(topic);
      }
    }
  }

  #compare(from: string, { count, sum }: { readonly count: number; readonly sum: number }): void {
    const other = this.#others.get(from);
    if (other?.topics.size !== count || other.sum !== sum) this.#tellAll(true);
  }

  #forget(name: string): void {
    const other = this.#others.get(name);
    this.#others.delete(name);
    for (const topic of other?.topics ?? []) this.#remove(topic);
  }

  /** Decides whether this gateway tells the application. */
  #decide(): void {
    const { gateways, listener } = this.#options;
    const { name } = gateways;
    const speaks =
      !this.#wasAway && this.#silent.size === 0 && [...this.#others.keys()].every((other) => other > name);
    const begins = speaks && !this.#speaks;
    this.#speaks = speaks;
    if (begins) listener.resync();
  }

  #add(topic: string): void {
    if (this.#gateways.add(topic) && this.#speaks) this.#options.listener.occupied(topic);
  }

  #remove(topic: string): void {
    if (this.#gateways.remove(topic) && this.#speaks) this.#options.listener.vacated(topic);
  }

  #ownChanged(topic: string, isOccupied: boolean): void {
    this.#ownSum ^= hashOf(topic);
    if (this.#changes.push([topic, isOccupied]) === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    if (this.#changes.length > 0) this.#options.gateways.tell({ changed: this.#changes });
    this.#changes = [];
  }

  #tellAll(asks: boolean): void {
    this.#changes = [];
    this.#options.gateways.tell({ all: this.#own.topics, asks });
  }
}

function sumOf(topics: Iterable<string>): number {
  let sum = 0;
  for (const topic of topics) sum ^= hashOf(topic);
  return sum;
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash | 0;
}

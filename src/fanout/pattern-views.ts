import { isReserved, prefixOf } from '../topics/topic-name.ts';
import type { View } from './view.ts';

const quietFeedMs = 10_000;
/** With more feeds, of some 300 bytes each, those that have sent everything are dropped at the next sweep. */
const feedsMax = 50_000;
/** Feeds of others, which an interval keeps for a minute, must not end a client's publishing to new topics. */
const priceMax = 64;

/**
 * The views of patterns, by the prefix that a topic must have: a name has few prefixes, and there may be thousands of
 * patterns. Those that have members are numbered in the order of their first member.
 */
export class PatternViews {
  readonly #byPrefix = new Map<string, Set<View>>();
  /** How many prefixes there are of each length, where there are any: these alone are looked for in a name. */
  readonly #lengths = new Map<number, number>();
  /** With the number of each. */
  readonly #withMembers = new Map<View, number>();
  #newest = 0;
  #feeds = 0;

  /** Those that have members. */
  get withMembers(): Iterable<View> {
    return this.#withMembers.keys();
  }

  /** None has members. */
  get areSilent(): boolean {
    return this.#withMembers.size === 0;
  }

  /** The largest number so far. */
  get newest(): number {
    return this.#newest;
  }

  add(view: View): void {
    const prefix = prefixOf(view.options.target);
    const views = this.#byPrefix.get(prefix);
    if (views === undefined) {
      this.#byPrefix.set(prefix, new Set([view]));
      this.#lengths.set(prefix.length, (this.#lengths.get(prefix.length) ?? 0) + 1);
    } else views.add(view);
  }

  remove(view: View): void {
    const prefix = prefixOf(view.options.target);
    const views = this.#byPrefix.get(prefix);
    views?.delete(view);
    if (views?.size !== 0) return;
    this.#byPrefix.delete(prefix);
    const prefixes = this.#lengths.get(prefix.length) as number;
    if (prefixes > 1) this.#lengths.set(prefix.length, prefixes - 1);
    else this.#lengths.delete(prefix.length);
  }

  /** It has its first member. */
  began(view: View): void {
    this.#withMembers.set(view, ++this.#newest);
  }

  /** It has no member any more. */
  ended(view: View): void {
    this.#withMembers.delete(view);
  }

  addedFeed(): void {
    this.#feeds++;
  }

  removedFeed(): void {
    this.#feeds--;
  }

  /** A feed that has sent everything is dropped when its topic was quiet for this long. */
  get quietFeedMs(): number {
    return this.#feeds > feedsMax ? 0 : quietFeedMs;
  }

  /** How many times as much one more feed is charged: with many of them more, so that publishers make no more. */
  get feedPrice(): number {
    return Math.min(priceMax, Math.max(1, (4 * (this.#feeds / feedsMax)) ** 2));
  }

  /** Those that match the topic. */
  *matching(topic: string): Iterable<View> {
    const least = isReserved(topic) ? 1 : 0;
    for (const length of this.#lengths.keys())
      if (length >= least && length <= topic.length) yield* this.#byPrefix.get(topic.slice(0, length)) ?? [];
  }

  /** Those of them that have members, with a number greater than `after`. */
  *heardBy(topic: string, after: number): Iterable<View> {
    if (after < this.#newest && !this.areSilent)
      for (const view of this.matching(topic)) if ((this.#withMembers.get(view) ?? 0) > after) yield view;
  }
}

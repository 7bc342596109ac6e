import { SluiceError } from '../../errors.ts';
import type { Maker } from '../../topics/topic-shares.ts';
import { type Arrival, TokenBuckets } from './token-bucket.ts';

export interface BeginRates {
  readonly newTopicsPerSecondPerClient: number;
  readonly topicsMaxPerClient: number;
}

/** A tenth of the numberings that are kept. */
const newTopicsBurst = 10_000;

/**
 * The most that a client can owe for topics that it began on other nodes, while this one had not heard of them: it
 * begins new ones again after this time, and each node counts for all.
 */
const debtMaxMs = 60_000;

/** The account of all clients without a key or token together. */
const unverified = '';

/**
 * Limits how many topics clients begin that have no numbering yet. A numbering outlives the content, and then takes the
 * place of one that has been idle for longer: that topic begins anew, and a client that returns to it is told that
 * something may be missing. A client can take a tenth of the places at once, or as many as it may have topics, and
 * then few a second.
 */
export class BeginLimits {
  readonly #each: TokenBuckets;
  /** They have together as much as one client, and each at most half of it at once. */
  readonly #addresses: TokenBuckets;

  constructor(rates: BeginRates, arrival: Arrival) {
    const { newTopicsPerSecondPerClient: perSecond, topicsMaxPerClient } = rates;
    const burst = Math.max(newTopicsBurst, topicsMaxPerClient);
    this.#each = new TokenBuckets(perSecond, burst, arrival);
    this.#addresses = new TokenBuckets(perSecond, burst / 2, arrival);
  }

  /** Charges a topic that is about to begin. Returns why it may not, or nothing. */
  take({ account, isVerified }: Maker): SluiceError | undefined {
    const retryAfterMs = isVerified ? this.#each.take(account) : this.#takeUnverified(account);
    if (retryAfterMs === 0) return undefined;
    return new SluiceError('too_many_topics', 'this client begins new topics too fast', { retryAfterMs });
  }

  #takeUnverified(account: string): number {
    const ownMs = this.#addresses.take(account);
    if (ownMs > 0) return ownMs;
    const allMs = this.#each.take(unverified);
    if (allMs > 0) this.#addresses.giveBack(account);
    return allMs;
  }

  /** So many topics have begun elsewhere; -1: one did not begin. */
  spend({ account, isVerified }: Maker, topics: number): void {
    this.#each.spend(isVerified ? account : unverified, topics, debtMaxMs);
    if (!isVerified) this.#addresses.spend(account, topics, debtMaxMs);
  }

  sweep(): void {
    this.#each.sweep();
    this.#addresses.sweep();
  }
}

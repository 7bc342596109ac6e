import type { Payer } from './payer.ts';

export interface TopicLimits {
  readonly topicsMax: number;
  readonly topicsMaxPerClient: number;
}

/** The part of all topics that those without a key or token may have made together. */
const unverifiedShare = 1 / 4;

/** Whom a topic is charged to: the client that made it. */
export interface Maker {
  readonly account: string;
  readonly isVerified: boolean;
}

/**
 * The client that is charged for a topic of this payer; undefined: no one. Keys are the operator's. One backend may
 * make all topics, and no client can get more keys, so that they are limited by the total alone. A topic outlives its
 * session, so that a client without an identity is charged as its address.
 */
export function makerOf(payer: Payer | undefined): Maker | undefined {
  if (payer === undefined || payer.isOperator === true) return undefined;
  const { address, isVerified } = payer;
  return address === undefined ? payer : { account: address, isVerified };
}

/** How many of the topics that exist each client has made. */
export class TopicShares {
  readonly #limits: TopicLimits;
  readonly #made = new Map<string, number>();
  #unverified = 0;

  constructor(limits: TopicLimits) {
    this.#limits = limits;
  }

  /**
   * How many topics the payer may still make while this many places are free. Each leaves as many places free as it has
   * made topics: many payers that take all they can still leave room for others.
   */
  room(payer: Payer | undefined, free: number): number {
    const maker = makerOf(payer);
    if (maker === undefined) return free;
    const { topicsMax, topicsMaxPerClient } = this.#limits;
    const made = this.#made.get(maker.account) ?? 0;
    const unverifiedMax = Math.ceil(topicsMax * unverifiedShare);
    const open = maker.isVerified ? free : Math.min(free, unverifiedMax - this.#unverified);
    return Math.max(0, Math.min(topicsMaxPerClient - made, Math.ceil((open - made) / 2)));
  }

  add(maker: Maker | undefined): void {
    this.#count(maker, 1);
  }

  remove(maker: Maker | undefined): void {
    this.#count(maker, -1);
  }

  #count(maker: Maker | undefined, by: 1 | -1): void {
    if (maker === undefined) return;
    const { account, isVerified } = maker;
    const made = (this.#made.get(account) ?? 0) + by;
    if (made > 0) this.#made.set(account, made);
    else this.#made.delete(account);
    if (!isVerified) this.#unverified += by;
  }
}

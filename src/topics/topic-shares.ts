import type { Mode } from '../protocol/frames.ts';
import { lastingAccount, type Payer } from './payer.ts';

export interface TopicLimits {
  readonly topicsMax: number;
  readonly topicsMaxPerClient: number;
  /** For the topics that one client made, without their content: see `topicBytesOf`. */
  readonly topicsMaxBytesPerClient: number;
}

/** Measured with 20 000 topics of a publication each: their objects, and their names in several maps. */
const streamBytes = 1850;
/** Its values are charged as content; what they leave when they expire is not. */
const stateBytes = streamBytes + 2400;
const bytesPerCharacter = 2.5;

/** What a topic takes in the memory of a gateway, without its content and what an engine keeps for it. */
export function topicBytesOf(name: string, mode: Mode): number {
  return (mode === 'state' ? stateBytes : streamBytes) + bytesPerCharacter * name.length;
}

/** How many topics a payer may still make, and how many bytes these may take. */
export interface ShareRoom {
  readonly topics: number;
  readonly bytes: number;
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
  return payer.address === undefined
    ? payer
    : { account: lastingAccount(payer), isVerified: payer.isVerified };
}

/** Topics that a client has made, or several have made together. */
class MadeTopics {
  topics = 0;
  bytes = 0;

  count(topics: 1 | -1, bytes: number): void {
    this.topics += topics;
    this.bytes += topics * bytes;
  }
}

const none = new MadeTopics();

/** How many of the topics that exist each client has made. */
export class TopicShares {
  readonly #limits: TopicLimits;
  readonly #made = new Map<string, MadeTopics>();
  readonly #unverified = new MadeTopics();

  constructor(limits: TopicLimits) {
    this.#limits = limits;
  }

  /**
   * What the payer may still make while this many places are free. Each leaves as many places free as it has made
   * topics: many payers that take all they can still leave room for others. Of bytes, those without a key or token have
   * together as many as one client.
   */
  room(payer: Payer | undefined, free: number): ShareRoom {
    const maker = makerOf(payer);
    if (maker === undefined) return { topics: free, bytes: Number.POSITIVE_INFINITY };
    const { topicsMax, topicsMaxPerClient, topicsMaxBytesPerClient } = this.#limits;
    const { account, isVerified } = maker;
    const own = this.#made.get(account) ?? none;
    const unverified = this.#unverified;
    const unverifiedMax = Math.ceil(topicsMax * unverifiedShare);
    const open = isVerified ? free : Math.min(free, unverifiedMax - unverified.topics);
    const bytes = topicsMaxBytesPerClient - own.bytes;
    return {
      topics: Math.max(0, Math.min(topicsMaxPerClient - own.topics, Math.ceil((open - own.topics) / 2))),
      bytes: isVerified ? bytes : (bytes - unverified.bytes) / 2,
    };
  }

  /** A topic of this maker that takes these bytes. */
  add(maker: Maker | undefined, bytes: number): void {
    this.#count(maker, bytes, 1);
  }

  remove(maker: Maker | undefined, bytes: number): void {
    this.#count(maker, bytes, -1);
  }

  #count(maker: Maker | undefined, bytes: number, by: 1 | -1): void {
    if (maker === undefined) return;
    const { account, isVerified } = maker;
    const made = this.#made.get(account) ?? new MadeTopics();
    made.count(by, bytes);
    if (made.topics > 0) this.#made.set(account, made);
    else this.#made.delete(account);
    if (!isVerified) this.#unverified.count(by, bytes);
  }
}

import { LinkedMap } from './linked-map.ts';
import type { Topic } from './topic.ts';
import type { Maker } from './topic-shares.ts';

/** What the topics that one client made hold. */
class Share {
  bytes = 0;
  stateBytes = 0;
  /** Those with publications in their ring, in the order of their last use. */
  readonly rings = new LinkedMap<string, Topic>();

  get isEmpty(): boolean {
    return this.bytes === 0 && this.rings.size === 0;
  }
}

/** How much the topics hold that each client made. */
export class ContentShares {
  readonly #byAccount = new Map<string, Share>();

  /** The bytes of all states of a maker's topics. */
  stateBytesOf({ account }: Maker): number {
    return this.#byAccount.get(account)?.stateBytes ?? 0;
  }

  /** The content of the topic has grown by these bytes, negative where it shrank; some of them of its state. */
  changed({ name, maker, ring }: Topic, bytes: number, stateBytes: number): void {
    if (maker === undefined) return;
    const share = this.#byAccount.get(maker.account) ?? new Share();
    share.bytes += bytes;
    share.stateBytes += stateBytes;
    if (ring.count === 0) share.rings.delete(name);
    if (share.isEmpty) this.#byAccount.delete(maker.account);
    else this.#byAccount.set(maker.account, share);
  }

  /** The topic is the last of its client's to have been used. */
  used(topic: Topic): void {
    const share = this.#of(topic);
    if (share !== undefined && topic.ring.count > 0) share.rings.set(topic.name, topic);
  }

  /** Where the topics of this one's client hold more than this: the one that was idle for longest; never this one. */
  idleAbove(topic: Topic, maxBytes: number): Topic | undefined {
    const share = this.#of(topic);
    if (share === undefined || share.bytes <= maxBytes) return undefined;
    const idle = share.rings.oldest?.value;
    return idle === topic ? undefined : idle;
  }

  #of({ maker }: Topic): Share | undefined {
    return maker && this.#byAccount.get(maker.account);
  }
}

import type { Numbering } from '../../topics/engine.ts';
import { IdleTopics } from '../../topics/idle-topics.ts';
import type { UpstreamHead } from './upstream.ts';

/** A topic with content, as this node knows it. */
export interface Head extends Numbering {
  epoch: string;
  offset: number;
  seq: number;
  bornAfterSeq: number;
  /** See `UpstreamHead`. */
  idsUntilMs: number;
  /** The feed has had everything up to now, or got it by `load`. */
  isFed: boolean;
  /** The upstream has dropped its numbering. It is dropped here together with the content. */
  isDropped: boolean;
}

/** The topics that a node knows: those with content, and the numberings of those without. */
export class Heads {
  readonly #heads = new Map<string, Head>();
  /** Unlimited, because the upstream says which are dropped. */
  readonly #idle = new IdleTopics<Numbering>(Number.POSITIVE_INFINITY);

  get(topic: string): Head | undefined {
    return this.#heads.get(topic);
  }

  /** Topics with content. */
  withContent(): Iterable<string> {
    return this.#heads.keys();
  }

  /** Topics with content, the longest idle first. */
  names(): string[] {
    return [...this.#heads].sort(([, a], [, b]) => a.seq - b.seq).map(([topic]) => topic);
  }

  /** The numbering of a topic with or without content. */
  known(topic: string): Numbering | undefined {
    return this.#heads.get(topic) ?? this.#idle.get(topic);
  }

  numbering(topic: string): Numbering | undefined {
    return this.#idle.get(topic);
  }

  numberings(afterSeq: number): Iterable<readonly [string, Numbering]> {
    return this.#idle.numberings(afterSeq);
  }

  set(topic: string, head: Head): void {
    this.#heads.set(topic, head);
  }

  /**
   * A publication of the epoch that a topic with content has. Its head is changed in place: if each publication made a
   * new one, most of them would outlive a scavenge (`bench -- cluster`). False: the topic has no content.
   */
  advance(topic: string, offset: number, seq: number, idsUntilMs: number, isFed: boolean): boolean {
    const head = this.#heads.get(topic);
    if (head === undefined) return false;
    head.offset = offset;
    head.seq = seq;
    head.idsUntilMs = idsUntilMs;
    head.isFed = isFed;
    head.isDropped = false;
    return true;
  }

  /** The content of the topic is gone. Keeps its numbering. */
  setIdle(topic: string, { epoch, offset, seq, bornAfterSeq }: Numbering, atSeq: number): void {
    this.#heads.delete(topic);
    this.#idle.add(topic, { epoch, offset, seq, bornAfterSeq }, atSeq);
  }

  /** The topic has content again. */
  woke(topic: string): void {
    this.#idle.delete(topic);
  }

  /** Its numbering is gone. */
  drop(topic: string): void {
    this.#idle.delete(topic);
    const head = this.#heads.get(topic);
    if (head !== undefined) head.isDropped = true;
  }

  delete(topic: string): void {
    this.#idle.delete(topic);
    this.#heads.delete(topic);
  }

  /** Topics without content. */
  idleNames(): string[] {
    return [...this.#idle.numberings(-1)].map(([topic]) => topic);
  }

  /** Takes the topics of the first picture. */
  fill(heads: ReadonlyMap<string, UpstreamHead>): void {
    const idle: [string, UpstreamHead, number][] = [];
    for (const [topic, head] of heads) {
      if (head.idleAtSeq === undefined) this.set(topic, headOf(head, false));
      else idle.push([topic, head, head.idleAtSeq]);
    }
    for (const [topic, head, atSeq] of idle.sort((a, b) => a[2] - b[2])) this.setIdle(topic, head, atSeq);
  }
}

export function headOf({ epoch, offset, seq, bornAfterSeq, idsUntilMs }: UpstreamHead, isFed: boolean): Head {
  return { epoch, offset, seq, bornAfterSeq, idsUntilMs, isFed, isDropped: false };
}

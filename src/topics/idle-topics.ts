import type { Numbering } from './engine.ts';
import { LinkedMap } from './linked-map.ts';

interface Idle<R> {
  readonly record: R;
  /** The engine's newest commit when the topic lost its content. */
  readonly atSeq: number;
}

/** An idle topic that was dropped: nothing is known of it any more. */
export interface DroppedTopic {
  readonly name: string;
  readonly seq: number;
}

/** Numberings of topics without content that are kept by default: about 20 MB. */
export const numberingsKept = 100_000;

/** The numberings of topics without content, the longest idle first; and what an engine keeps with each. */
export class IdleTopics<R extends Numbering> {
  readonly #byName = new LinkedMap<string, Idle<R>>();
  readonly #max: number;

  constructor(max = numberingsKept) {
    this.#max = max;
  }

  get(name: string): R | undefined {
    return this.#byName.get(name)?.record;
  }

  /** `atSeq`: the newest commit. */
  add(name: string, record: R, atSeq: number): void {
    this.#byName.set(name, { record, atSeq });
  }

  delete(name: string): void {
    this.#byName.delete(name);
  }

  /** The numberings of topics that lost their content after the commit `afterSeq`, and had publications after it. */
  *numberings(afterSeq: number): Iterable<readonly [string, Numbering]> {
    for (const [name, { record, atSeq }] of this.#byName.newestFirst()) {
      if (atSeq <= afterSeq) return;
      if (record.seq > afterSeq) yield [name, record];
    }
  }

  /** Drops the longest idle ones beyond the limit. */
  *dropSurplus(): Iterable<DroppedTopic> {
    while (this.#byName.size > this.#max) {
      const { key: name, value } = this.#byName.oldest as { key: string; value: Idle<R> };
      this.#byName.delete(name);
      yield { name, seq: value.record.seq };
    }
  }
}

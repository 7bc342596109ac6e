import type { Numbering } from '../../topics/engine.ts';
import { LinkedMap } from '../../topics/linked-map.ts';
import type { HeadRecord } from './records.ts';

interface Idle {
  readonly record: HeadRecord;
  /** The newest commit when the content went. */
  readonly atSeq: number;
}

/** An idle topic that was dropped: nothing is known of it any more. */
export interface DroppedTopic {
  readonly name: string;
  readonly seq: number;
}

/** The numberings of topics without content, the longest idle first. */
export class IdleTopics {
  readonly #byName = new LinkedMap<string, Idle>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get(name: string): HeadRecord | undefined {
    return this.#byName.get(name)?.record;
  }

  /** `atSeq`: the newest commit. */
  add(name: string, record: HeadRecord, atSeq: number): void {
    this.#byName.set(name, { record, atSeq });
  }

  delete(name: string): void {
    this.#byName.delete(name);
  }

  /** Of topics that lost their content after the commit `afterSeq`, and had publications after it. */
  *numberings(afterSeq: number): Iterable<readonly [string, Numbering]> {
    for (const [name, { record, atSeq }] of this.#byName.newestFirst()) {
      if (atSeq <= afterSeq) return;
      if (record.seq > afterSeq) yield [name, record];
    }
  }

  /** Drops the longest idle ones beyond the limit. */
  *dropSurplus(): Iterable<DroppedTopic> {
    while (this.#byName.size > this.#max) {
      const { key: name, value } = this.#byName.oldest as { key: string; value: Idle };
      this.#byName.delete(name);
      yield { name, seq: value.record.seq };
    }
  }
}

/** Something that changes. Only a `ChangeOrder` calls its methods. */
export abstract class Changing<T> {
  /** The `seq` of its newest commit. */
  abstract readonly seq: number;
  #changedAt = 0;
  #changedAtSeq = 0;
  #resetAt = 0;
  #before: T | undefined;
  #after: T | undefined;

  /** `ChangeOrder.changes` at its last change: a publication or a reset. */
  get changedAt(): number {
    return this.#changedAt;
  }

  /** The newest commit of all topics at that time. */
  get changedAtSeq(): number {
    return this.#changedAtSeq;
  }

  /** `ChangeOrder.changes` at its last reset; 0: there was none. */
  get resetAt(): number {
    return this.#resetAt;
  }

  /** Its neighbours in the order of changes. */
  get changedBefore(): T | undefined {
    return this.#before;
  }

  get changedAfter(): T | undefined {
    return this.#after;
  }

  changed(change: number, newestSeq: number): void {
    this.#changedAt = change;
    this.#changedAtSeq = newestSeq;
  }

  wasReset(): void {
    this.#resetAt = this.#changedAt;
  }

  placeBetween(before: T | undefined, after: T | undefined): void {
    this.#before = before;
    this.#after = after;
  }
}

/**
 * The topics of a node in the order of their last change. A list through the topics themselves: each publication moves
 * one.
 */
export class ChangeOrder<T extends Changing<T>> {
  #oldest: T | undefined;
  #newest: T | undefined;
  #changes = 0;
  #seq = 0;

  /** Grows with each change of any topic. */
  get changes(): number {
    return this.#changes;
  }

  /** The newest commit that this node has heard of. */
  get seq(): number {
    return this.#seq;
  }

  /** Begins with topics that an engine has kept, whose changes are not counted. `seq`: the newest commit. */
  begin(topics: Iterable<T>, seq: number): void {
    this.#seq = seq;
    for (const topic of [...topics].sort((a, b) => a.seq - b.seq)) this.#makeNewest(topic);
  }

  changed(topic: T): void {
    if (topic.seq > this.#seq) this.#seq = topic.seq;
    topic.changed(++this.#changes, this.#seq);
    this.#makeNewest(topic);
  }

  /** It began a new numbering, which is a change. */
  reset(topic: T): void {
    this.changed(topic);
    topic.wasReset();
  }

  delete(topic: T): void {
    const { changedBefore: before, changedAfter: after } = topic;
    if (before !== undefined) before.placeBetween(before.changedBefore, after);
    else if (this.#oldest === topic) this.#oldest = after;
    if (after !== undefined) after.placeBetween(before, after.changedAfter);
    else if (this.#newest === topic) this.#newest = before;
    topic.placeBetween(undefined, undefined);
  }

  /** The topics that had a publication after this commit; the last changed first. */
  *publishedAfter(seq: number): Iterable<T> {
    for (let topic = this.#newest; topic !== undefined; topic = topic.changedBefore) {
      if (topic.seq > seq) yield topic;
      else if (topic.changedAtSeq <= seq) return;
    }
  }

  /** The topics that have changed since `changes` had this value; the last changed first. */
  *changedAfter(changes: number): Iterable<T> {
    for (let topic = this.#newest; topic !== undefined; topic = topic.changedBefore) {
      if (topic.changedAt <= changes) return;
      yield topic;
    }
  }

  #makeNewest(topic: T): void {
    if (topic === this.#newest) return;
    this.delete(topic);
    const before = this.#newest;
    topic.placeBetween(before, undefined);
    if (before === undefined) this.#oldest = topic;
    else before.placeBetween(before.changedBefore, topic);
    this.#newest = topic;
  }
}

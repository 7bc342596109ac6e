import type { Topic } from './topic.ts';

/**
 * The topics of a node in the order of their last change. A list through the topics themselves: each publication moves
 * one.
 */
export class ChangeOrder {
  #oldest: Topic | undefined;
  #newest: Topic | undefined;

  get newest(): Topic | undefined {
    return this.#newest;
  }

  /** Makes it the newest. */
  touch(topic: Topic): void {
    if (topic === this.#newest) return;
    this.delete(topic);
    topic.changedBefore = this.#newest;
    if (this.#newest === undefined) this.#oldest = topic;
    else this.#newest.changedAfter = topic;
    this.#newest = topic;
  }

  delete(topic: Topic): void {
    const { changedBefore, changedAfter } = topic;
    if (changedBefore !== undefined) changedBefore.changedAfter = changedAfter;
    else if (this.#oldest === topic) this.#oldest = changedAfter;
    if (changedAfter !== undefined) changedAfter.changedBefore = changedBefore;
    else if (this.#newest === topic) this.#newest = changedBefore;
    topic.changedBefore = undefined;
    topic.changedAfter = undefined;
  }
}

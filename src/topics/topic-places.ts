import type { Topic } from './topic.ts';
import { isReserved } from './topic-name.ts';

/**
 * Counts topics against `topicsMax`: those that hold content, those that are empty and can't be removed yet (their
 * message ids live), and those that publishes under way will begin. A topic that is only subscribed to does not count,
 * nor do Sluice's own.
 */
export class TopicPlaces {
  #filled = 0;
  readonly #emptied = new Set<string>();
  /** New topics of publishes that the engine has not answered yet, and how many publishes wait for each. */
  readonly #coming = new Map<string, number>();

  /** Topics that exist. */
  get taken(): number {
    return this.#filled + this.#emptied.size;
  }

  /** The same with topics that publishes under way will begin. */
  get promised(): number {
    return this.taken + this.#coming.size;
  }

  /** Whether a publish to this topic needs one more place. */
  needsOne(name: string, topic: Topic | undefined): boolean {
    return topic?.holdsContent !== true && !this.#emptied.has(name) && !this.#coming.has(name);
  }

  /** The topic has got its first content, or lost its last. */
  contentChanged({ name, holdsContent, holds }: Topic): void {
    if (isReserved(name)) return;
    this.#filled += holdsContent ? 1 : -1;
    if (!holdsContent && holds === 0) this.#emptied.add(name);
    if (!holdsContent) return;
    this.#emptied.delete(name);
    this.#coming.delete(name);
  }

  /** It is empty and its removal was refused. */
  stays({ name }: Topic): void {
    if (!isReserved(name)) this.#emptied.add(name);
  }

  /** It was removed, or is only subscribed to. */
  free({ name }: Topic): void {
    this.#emptied.delete(name);
  }

  /** A publish is under way that will begin this topic. */
  expect(name: string): void {
    if (!isReserved(name)) this.#coming.set(name, (this.#coming.get(name) ?? 0) + 1);
  }

  /** The engine has answered that publish. */
  arrived(name: string): void {
    const others = (this.#coming.get(name) ?? 0) - 1;
    if (others > 0) this.#coming.set(name, others);
    else this.#coming.delete(name);
  }
}

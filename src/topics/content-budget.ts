import { LinkedMap } from './linked-map.ts';
import type { Topic } from './topic.ts';

/**
 * Counts the bytes of the rings and states of all topics, and keeps them within one limit. Whatever changes the content
 * of a topic runs in `change`.
 */
export class ContentBudget {
  readonly #maxBytes: number;
  readonly #contentChanged: (topic: Topic) => void;
  /** Topics with publications in their ring, in the order of their last use. */
  readonly #rings = new LinkedMap<string, Topic>();
  #ringBytes = 0;
  #stateBytes = 0;

  /** `contentChanged` is called for a topic that has got its first content, or lost its last. */
  constructor(maxBytes: number, contentChanged: (topic: Topic) => void) {
    this.#maxBytes = maxBytes;
    this.#contentChanged = contentChanged;
  }

  /** Of all rings and states. */
  get bytes(): number {
    return this.#ringBytes + this.#stateBytes;
  }

  /** Of all states. */
  get stateBytes(): number {
    return this.#stateBytes;
  }

  /** Runs the change and counts the bytes that it adds or takes. */
  change(topic: Topic, change: () => void): void {
    const { ring, state, holdsContent } = topic;
    const ringBytes = ring.bytes;
    const stateBytes = state?.bytes ?? 0;
    change();
    this.#ringBytes += ring.bytes - ringBytes;
    this.#stateBytes += (state?.bytes ?? 0) - stateBytes;
    if (ring.count === 0) this.#rings.delete(topic.name);
    if (topic.holdsContent !== holdsContent) this.#contentChanged(topic);
  }

  /**
   * The topic is the last to have been used. Over the limit, empties the rings of the topics that have been idle for
   * longest; this one keeps its own. Epochs, offsets and states stay.
   */
  used(topic: Topic): void {
    if (topic.ring.count > 0) this.#rings.set(topic.name, topic);
    while (this.bytes > this.#maxBytes && this.#rings.size > 1) {
      const idle = this.#rings.oldest?.value as Topic;
      this.change(idle, () => idle.ring.evictAll());
    }
  }
}

import type { TopicPosition } from '../protocol/frames.ts';

const rememberedMax = 10_000;

/**
 * Where this client's publications with `exceptSelf` are. The gateway keeps them from the session that
 * published them; a later session of the same client is another one to it, and leaves them out by this
 * memory: of the latest 10 000.
 */
export class OwnPublications {
  readonly #places = new Set<string>();

  add(position: TopicPosition): void {
    this.#places.add(placeOf(position));
    if (this.#places.size <= rememberedMax) return;
    for (const oldest of this.#places) {
      this.#places.delete(oldest);
      return;
    }
  }

  has(position: TopicPosition): boolean {
    return this.#places.size > 0 && this.#places.has(placeOf(position));
  }
}

function placeOf({ topic, epoch, offset }: TopicPosition): string {
  return `${offset} ${epoch} ${topic}`;
}

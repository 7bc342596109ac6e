import type { TopicPosition } from '../protocol/frames.ts';

const rememberedMax = 10_000;

/**
 * The positions of this client's latest 10 000 publications with `exceptSelf`. The gateway does not send them to the
 * session that published them. To a later session of the same client it does, and the client leaves them out by these.
 */
export class OwnPublications {
  readonly #places = new Set<string>();

  add(position: TopicPosition): void {
    this.#places.add(placeOf(position));
    const [oldest = ''] = this.#places;
    if (this.#places.size > rememberedMax) this.#places.delete(oldest);
  }

  has(position: TopicPosition): boolean {
    return this.#places.size > 0 && this.#places.has(placeOf(position));
  }
}

function placeOf({ topic, epoch, offset }: TopicPosition): string {
  return `${offset} ${epoch} ${topic}`;
}

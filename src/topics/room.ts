import { SluiceError } from '../errors.ts';
import type { Mode, PublishFields } from '../protocol/frames.ts';
import { isReserved } from './names.ts';
import { stateMaxKeys } from './state.ts';
import type { Topic } from './topic.ts';

/**
 * Keeps the publishes of one call, together with what is there, within the limits of topics and keys: none of them is
 * applied before all have been looked at. Sluice's own topics always have room.
 */
export class Room {
  readonly #topics = new Set<string>();
  readonly #keys = new Map<string, Set<string>>();
  readonly #topicsLeft: number;

  constructor(topicsLeft: number) {
    this.#topicsLeft = topicsLeft;
  }

  /** Takes the room that this publish needs, or says why there is none. `topic`: undefined where there is none yet. */
  problem(fields: PublishFields, topic: Topic | undefined, mode: Mode): SluiceError | undefined {
    if (topic === undefined && !isReserved(fields.topic) && !this.#topics.has(fields.topic)) {
      if (this.#topics.size >= this.#topicsLeft) return new SluiceError('too_many_topics');
      this.#topics.add(fields.topic);
    }
    if (mode !== 'state' || fields.removed === true) return undefined;
    const key = fields.key ?? '';
    if (topic?.state?.has(key) === true) return undefined;
    return this.#takeKey(fields.topic, key, topic?.state?.size ?? 0)
      ? undefined
      : new SluiceError('too_many_keys');
  }

  #takeKey(topic: string, key: string, held: number): boolean {
    let keys = this.#keys.get(topic);
    if (keys === undefined) {
      keys = new Set();
      this.#keys.set(topic, keys);
    }
    if (!keys.has(key) && held + keys.size >= stateMaxKeys) return false;
    keys.add(key);
    return true;
  }
}

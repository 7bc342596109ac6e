import type { Mode, Position, TopicPosition } from '../../protocol/frames.ts';
import { LiveMap } from './live-map.ts';
import { Positions } from './positions.ts';
import { RecentTopics } from './recent-topics.ts';

/** Of a pattern: above this number, topics that have been quiet are forgotten. */
const topicsRemembered = 10_000;
/** Longer than the gateway keeps anything back that it has not covered yet. */
const quietMs = 60_000;

/** What a subscription knows of its topics: one, or those of its pattern that it has heard of. */
export class KnownTopics {
  readonly #positions = new Positions();
  /** Of each state topic, from when it is known to be one. */
  readonly #maps = new Map<string, LiveMap>();
  /** State topics whose snapshot isn't complete: their position doesn't count, a new snapshot is needed. */
  readonly #incomplete = new Set<string>();
  /** Undefined: a single topic, which is never forgotten. */
  readonly #recent: RecentTopics | undefined;
  hasForgotten = false;
  /** Namespaces of forgotten state topics, whose maps were empty. */
  readonly #stateNamespaces = new Set<string>();
  readonly #monotonicMs: () => number;

  constructor(isPattern: boolean, monotonicMs: () => number) {
    this.#recent = isPattern ? new RecentTopics() : undefined;
    this.#monotonicMs = monotonicMs;
  }

  position(topic: string): Position | undefined {
    return this.#positions.get(topic);
  }

  positions(): TopicPosition[] {
    return this.#positions.list();
  }

  /** The positions that may be continued from. */
  completePositions(): TopicPosition[] {
    return this.#positions.list().filter(({ topic }) => !this.#incomplete.has(topic));
  }

  setPosition(topic: string, position: Position): void {
    this.#positions.set(topic, position);
    this.#recent?.heard(topic, this.#monotonicMs());
  }

  clearPositions(): void {
    this.#positions.clear();
  }

  map(topic: string): LiveMap | undefined {
    return this.#maps.get(topic);
  }

  /** The map of a state topic that may be shown. */
  completeMap(topic: string): LiveMap | undefined {
    return this.#incomplete.has(topic) ? undefined : this.#maps.get(topic);
  }

  modeOf(topic: string): Mode {
    return this.#maps.has(topic) ? 'state' : 'stream';
  }

  /** A stream has no map; a state topic has one from now on. */
  setMode(topic: string, mode: Mode): void {
    if (mode === 'stream') {
      this.#maps.delete(topic);
      this.#incomplete.delete(topic);
    } else if (!this.#maps.has(topic)) this.#maps.set(topic, new LiveMap());
  }

  /** Whether a topic that is not known is likely to be a state topic. */
  isStateNamespace(topic: string): boolean {
    return this.#stateNamespaces.has(namespaceOf(topic));
  }

  /** Until its snapshot is complete, the position only serves to judge batches. */
  setComplete(topic: string, isComplete: boolean): void {
    if (isComplete) this.#incomplete.delete(topic);
    else this.#incomplete.add(topic);
  }

  /** Forgets topics of a pattern that have been quiet, where there are many. Returns them. */
  forgetQuiet(intervalMs: number): readonly string[] {
    if (!this.#recent || this.#recent.size <= topicsRemembered) return [];
    const nowMs = this.#monotonicMs();
    const mayForget = (topic: string) => (this.#maps.get(topic)?.entries.size ?? 0) === 0;
    const forgotten = this.#recent.forget(
      topicsRemembered,
      nowMs - quietMs - 2 * intervalMs,
      nowMs,
      mayForget,
    );
    for (const topic of forgotten) {
      this.hasForgotten = true;
      if (this.#maps.delete(topic)) this.#stateNamespaces.add(namespaceOf(topic));
      this.#incomplete.delete(topic);
      this.#positions.delete(topic);
    }
    return forgotten;
  }
}

function namespaceOf(topic: string): string {
  const colon = topic.indexOf(':');
  return colon === -1 ? topic : topic.slice(0, colon);
}

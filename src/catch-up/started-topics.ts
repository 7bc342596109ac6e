import type { View } from '../fanout/view.ts';
import type { Topic } from '../topics/topic.ts';
import { TopicBacklog } from './topic-backlog.ts';

/** Where a subscriber starts in one topic of its pattern. */
export interface TopicStart {
  readonly topic: Topic;
  readonly start: { readonly epoch: string; readonly position: number; readonly needsSnapshot: boolean };
}

/**
 * The topics of a pattern whose positions the reply names. Kept as numbers, and their backlogs made in their turn: a
 * thousand backlogs would take 200 kB for each subscription.
 */
export class StartedTopics {
  readonly #view: View;
  readonly #topics: readonly Topic[];
  readonly #epochs: readonly string[];
  /** NaN: a snapshot comes first. */
  readonly #positions: Float64Array;

  constructor(view: View, started: readonly TopicStart[]) {
    this.#view = view;
    this.#topics = started.map(({ topic }) => topic);
    this.#epochs = started.map(({ start }) => start.epoch);
    this.#positions = Float64Array.from(started, ({ start }) =>
      start.needsSnapshot ? Number.NaN : start.position,
    );
  }

  get count(): number {
    return this.#topics.length;
  }

  /** A new backlog of the topic at this index. */
  backlogAt(index: number): TopicBacklog {
    const feed = this.#view.feedFor(this.#topics[index] as Topic);
    const epoch = this.#epochs[index] as string;
    const position = this.#positions[index] as number;
    return Number.isNaN(position)
      ? TopicBacklog.ofAllValues(feed, epoch)
      : new TopicBacklog(feed, epoch, position);
  }
}

import type { StoredPublication } from '../topics/publication.ts';
import type { Topic } from '../topics/topic.ts';
import type { Feed } from './view.ts';

export interface BatchOptions {
  readonly maxDelayMs: number;
  readonly maxBytes: number;
}

/** The feeds of one topic, and what they have still to send: kept here until all have, whatever the ring evicts. */
export interface TopicFeeds {
  readonly topic: Topic;
  readonly batch: BatchOptions;
  readonly feeds: Feed[];
  /** Contiguous, behind the offset `logAfter`. */
  log: StoredPublication[];
  logAfter: number;
  /** The patterns that match have a feed of it. */
  heardByPatterns: boolean;
}

/** A view whose coverage has said nothing for so long says so with an empty batch. */
export const silentCoverageMs = 10_000;

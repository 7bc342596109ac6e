import type { Filter, Position, TopicPosition } from '../../protocol/frames.ts';

export interface SubscribeOptions {
  /** Only publications whose tags match. */
  readonly filter?: Filter;
  /** At most one batch in this many milliseconds. */
  readonly intervalMs?: number;
  /** In a stream topic: only the newest publication per key of each batch. */
  readonly conflate?: boolean;
  /**
   * Hear `joined` and `left`. After `caughtUp`, and after a reconnection, ask `presence()` again: those have
   * passed.
   */
  readonly presence?: boolean;
  /** Of a state topic only these keys, 1 to 1000: what a grid shows of it. `setKeys` changes them. */
  readonly keys?: readonly string[];
  /** Begin with the newest N publications. */
  readonly last?: number;
  /** Begin after this position, e.g. one that a page kept; for a pattern, one per topic, or better `cursor`. */
  readonly since?: Position | readonly TopicPosition[];
  /**
   * For a pattern: begin where `cursor` of a subscription to it was, e.g. one that a page kept. For a topic, beside
   * `since`: lets the gateway tell whether a topic that was empty then has had something that is gone.
   */
  readonly cursor?: string;
}

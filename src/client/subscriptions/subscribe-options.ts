import type { Filter, Position, TopicPosition } from '../../protocol/frames.ts';

export interface SubscribeOptions {
  /** Only publications whose tags match. */
  readonly filter?: Filter | undefined;
  /** At most one batch in this many milliseconds. */
  readonly intervalMs?: number | undefined;
  /** In a stream topic: only the newest publication per key of each batch. */
  readonly conflate?: boolean | undefined;
  /**
   * Emit `joined` and `left`. Call `presence()` again after `caughtUp` and after a reconnect, during which those are
   * missed. Without the permission the subscription is refused; beside an equal one without this option it goes on, and
   * its event `error` says that there is no presence.
   */
  readonly presence?: boolean | undefined;
  /** Only these keys of a state topic, 1 to 1000: the rows that a grid shows. `setKeys` changes them. */
  readonly keys?: readonly string[] | undefined;
  /** Begin with the newest N publications. */
  readonly last?: number | undefined;
  /** Begin after this position, e.g. one that a page stored. For a pattern one for each topic, or better `cursor`. */
  readonly since?: Position | readonly TopicPosition[] | undefined;
  /**
   * For a pattern: begin at the `cursor` of an earlier subscription, e.g. one that a page stored. For a topic, beside
   * `since`: lets the gateway tell whether publications of a topic that was empty then are gone.
   */
  readonly cursor?: string | undefined;
}

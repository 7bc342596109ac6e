import type { Feed, View } from './view.ts';

/** One message to the members of a view. The bytes are shared by all of them and never changed. */
export interface OutFrame {
  readonly view: View;
  readonly bytes: Uint8Array;
  /** Whose coverage or numbering it tells; nothing for frames that are about neither (joined, left, dictionary). */
  readonly feed: Feed | undefined;
  /** The epoch of the feed that the members know before this frame. */
  readonly epoch: string;
  /** It covers (after, upto]; a frame without publications that covers nothing is a reset. */
  readonly after: number;
  readonly upto: number;
  /** How many publications it holds. */
  readonly publications: number;
}

/**
 * Where frames go out. Consumer: the fan-out; the uWebSockets.js transport implements it.
 *
 * Contract: frames of one view reach each member in the order of `publish`; a member that can't take a frame leaves the
 * view before the next `publish` and its session is told, per feed, behind which epoch and `after` it lacks frames. No more than
 * `framesPerTurn` frames are published between two `beginTurn`.
 */
export interface Sink {
  readonly framesPerTurn: number;
  /** A new turn of the event loop: what the last one wrote has drained, or was dropped for some members. */
  beginTurn(): void;
  publish(frame: OutFrame): void;
  /** The same, but the session named `except`, if it is a member, gets `instead()`. */
  publishExcept(frame: OutFrame, except: string, instead: () => OutFrame): void;
}

/** As uWebSockets.js drains at most 32 messages at once and reports one drop per drain, a turn stays below. */
export const framesPerTurn = 31;

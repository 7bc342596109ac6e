import type { Position } from '../protocol/frames.ts';
import type { Feed, View } from './view.ts';

/** One message to the members of a view. The bytes are shared by all of them and never changed. */
export interface OutFrame {
  readonly view: View;
  /** Empty where the codec has no word for it: then nothing is sent. */
  readonly bytes: Uint8Array;
  /** Whose coverage or numbering it tells; undefined for frames that are about neither (joined, left, dictionary). */
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
 * The frames of one transport on their way out. Consumer: the fan-out; each transport implements it, once per event
 * loop, application or listener that it serves. The fan-out serves any number of sinks at once and knows those whose
 * connections are members of a view.
 *
 * A sink delivers the frames of all views to each member in the order in which they were published. A member that
 * cannot take a frame gets no later one of the same turn either: its `Receiver` is told by `lag` at the next
 * `beginTurn`.
 *
 * A sink counts each publication once per member in the metric `deliveriesTotal`, and each frame's bytes in
 * `sentBytesTotal`. Of what a member did not get it takes the deliveries back: the frames that it lost, which it counts
 * in `dropsTotal`, and those in the buffer of a connection that ended.
 */
export interface Sink {
  /** The name of the transport in metrics and in `GET /api/connections`. */
  readonly transport: string;
  /**
   * At most this many frames are published between two calls of `beginTurn`. An integer of at least 2, as
   * `publishExcept` counts as two frames; it never changes.
   */
  readonly framesMaxPerTurn: number;
  /**
   * A new turn of the event loop: what the last one wrote has drained, or was dropped for some members. Calls `lag` of
   * these members, and counts what they lost.
   */
  beginTurn(): void;
  /**
   * Sends the frame to all members, and counts it. `members`: how many connections of this sink are members of the
   * view, at least one.
   */
  publish(frame: OutFrame, members: number): void;
  /**
   * The same, but the session named `except`, if it is a member of the view in this sink, gets `instead()`. It counts
   * as two frames of the turn.
   */
  publishExcept(frame: OutFrame, members: number, except: string, instead: () => OutFrame): void;
}

/** A connection as a member of views. Consumer: the fan-out; the connections of each transport implement it. */
export interface Member {
  readonly sink: Sink;
  /** From now on the connection gets what its sink publishes of this view. */
  join(view: View): void;
  /** It gets nothing more of this view, except frames of this turn. */
  leave(view: View): void;
}

export type Overlap = 'nothing' | 'some' | 'all';

/** The subscriber of a connection, as a sink knows it. Consumer: the sinks; `SessionViews` implements it. */
export interface Receiver {
  readonly id: string;
  /** It lacks frames of its views and is being caught up. */
  readonly isLagging: boolean;
  /** The views of which it gets the frames that are published. */
  readonly liveViews: Iterable<View>;
  isLiveIn(view: View): boolean;
  /** It subscribes to the view of this number, live or not. */
  isSubscribedTo(viewId: number): boolean;
  /**
   * Its connection could not take `lostFrames` frames: of each feed in `lost` it lacks everything after this position.
   * It leaves all views, and is caught up. Not to be called while a frame is published.
   */
  lag(lost: ReadonlyMap<Feed, Position>, lostFrames: number): void;
  /**
   * It has had more of this live view than its members were sent, and does not compare offsets: before each frame of
   * the view, `had` is to be asked.
   */
  isAheadIn(view: View): boolean;
  /**
   * How much it has had of what a frame of a live view covers. It is not to get a frame of which it has had some or
   * all.
   */
  overlap(frame: OutFrame): Overlap;
  /** As `lag`, for frames of which it has had some, and frames after these. Its client is not told. */
  rejoin(lost: ReadonlyMap<Feed, Position>, lostFrames: number): void;
}

import type { WebSocket } from 'uWebSockets.js';
import type { OutFrame, Receiver } from '../../fanout/sink.ts';
import type { Feed, View } from '../../fanout/view.ts';
import type { Position } from '../../protocol/frames.ts';

/** What is used of a socket to publish. */
export type PublishingSocket = Pick<WebSocket<unknown>, 'cork' | 'publish' | 'subscribe' | 'unsubscribe'>;

/** A connection as the sink knows it. */
export interface PublishingConnection {
  readonly socket: PublishingSocket;
  readonly receiver: Receiver | undefined;
}

const none: readonly PublishingConnection[] = [];

/** What a member lacks of the frames of a turn that it was left out of, as in `Receiver.rejoin`. */
export interface LeftOut {
  readonly lost: Map<Feed, Position>;
  frames: number;
}

/**
 * Members that have had more of a view than its members were sent (`Receiver.isAheadIn`). The library's publish reaches
 * all sockets of a channel, so one that must not get a frame leaves the channel while it is published. A member that
 * has had a part of a frame stays away for the rest of the turn, and is caught up after it.
 */
export class AheadMembers {
  readonly #members = new Map<View, Set<PublishingConnection>>();
  #leftOut = new Map<Receiver, LeftOut>();

  /** The connection joins the view. */
  joins(view: View, connection: PublishingConnection): void {
    if (connection.receiver?.isAheadIn(view) !== true) return;
    const members = this.#members.get(view);
    if (members === undefined) this.#members.set(view, new Set([connection]));
    else members.add(connection);
  }

  /** The connection is no member of the view any more, or no longer ahead in it. */
  leaves(view: View, connection: PublishingConnection): void {
    const members = this.#members.get(view);
    if (members?.delete(connection) !== true) return;
    if (members.size === 0) this.#members.delete(view);
    const { lost } = this.#leftOut.get(connection.receiver as Receiver) ?? {};
    for (const feed of lost?.keys() ?? []) if (feed.view === view) lost?.delete(feed);
  }

  /** Takes those out of the channel that must not get this frame. Call `putBack` once it is published. */
  leaveOut(frame: OutFrame): readonly PublishingConnection[] {
    const { view } = frame;
    const members = this.#members.get(view);
    if (members === undefined) return none;
    const without: PublishingConnection[] = [];
    for (const connection of members) {
      if (this.#hasHad(connection, frame)) without.push(connection);
      else if (connection.receiver?.isAheadIn(view) !== true) this.leaves(view, connection);
    }
    for (const { socket } of without) socket.unsubscribe(view.channel);
    return without;
  }

  putBack(view: View, without: readonly PublishingConnection[]): void {
    for (const { socket, receiver } of without)
      if (!this.#isLeftOut(receiver as Receiver, view)) socket.subscribe(view.channel);
  }

  /** What receivers lack since the last call. */
  takeLeftOut(): ReadonlyMap<Receiver, LeftOut> {
    const leftOut = this.#leftOut;
    if (leftOut.size > 0) this.#leftOut = new Map();
    return leftOut;
  }

  #hasHad({ receiver }: PublishingConnection, frame: OutFrame): boolean {
    if (receiver === undefined) return false;
    const { view, feed, epoch, after } = frame;
    const overlap = this.#isLeftOut(receiver, view) ? 'some' : receiver.overlap(frame);
    if (overlap !== 'some') return overlap === 'all';
    const leftOut = this.#leftOut.get(receiver) ?? { lost: new Map(), frames: 0 };
    this.#leftOut.set(receiver, leftOut);
    leftOut.frames++;
    if (feed !== undefined && !leftOut.lost.has(feed)) leftOut.lost.set(feed, { epoch, offset: after });
    return true;
  }

  #isLeftOut(receiver: Receiver, view: View): boolean {
    for (const feed of this.#leftOut.get(receiver)?.lost.keys() ?? []) if (feed.view === view) return true;
    return false;
  }
}

import type { TemplatedApp } from 'uWebSockets.js';
import type { OutFrame, Receiver, Sink } from '../../fanout/sink.ts';
import type { Feed, View } from '../../fanout/view.ts';
import type { Metrics } from '../../metrics.ts';
import type { Position } from '../../protocol/frames.ts';
import {
  AheadMembers,
  type LeftOut,
  type PublishingConnection,
  type PublishingSocket,
} from './ahead-members.ts';
import { PastFrames } from './past-frames.ts';

type SinkMetrics = Pick<Metrics, 'deliveriesTotal' | 'sentBytesTotal' | 'dropsTotal'>;

/** The library drains at most 32 messages of a socket at once and reports one drop per drain: a turn stays below. */
const framesMaxPerTurn = 31;

interface TurnFrame {
  readonly frame: OutFrame;
  /** Got another frame instead. */
  readonly except: Receiver | undefined;
  /** Were left out, as they have had all or some of it. */
  readonly without: readonly PublishingConnection[];
  /** The only one that got it; undefined: all members did. */
  readonly only: Receiver | undefined;
  /** How many frames had been published before. */
  readonly number: number;
}

interface Drop {
  readonly receiver: Receiver;
  /** The views in which it was live when it was reported; it may have left one of them since. */
  readonly views: Set<View>;
  /** Index in the turn's frames of the first that it did not get. */
  first: number;
}

/**
 * Writes frames by uWebSockets.js's own publish, once per view.
 *
 * The library calls `dropped` for a socket over its limit from inside its drain, where nothing may be sent: the sink
 * only remembers it. The call names the first frame of a drain that was lost; the rest of the drain is lost for that
 * socket without a call, whatever its topic. So the frames of a turn are kept, and before the next frame is published
 * the session is told where to continue in each of its views.
 */
export class UwsSink implements Sink {
  readonly transport = 'websocket';
  readonly framesMaxPerTurn = framesMaxPerTurn;
  readonly #app: TemplatedApp;
  readonly #metrics: SinkMetrics;
  /** The open connections by the id of their session. */
  readonly #connections = new Map<string, PublishingConnection>();
  #turn: TurnFrame[] = [];
  #dropped = new Map<string, Drop>();
  readonly #past = new PastFrames();
  readonly #ahead = new AheadMembers();
  /** How many frames had been published when a lagging session lost its first one. */
  readonly #lostSince = new WeakMap<Receiver, number>();

  constructor(app: TemplatedApp, metrics: SinkMetrics) {
    this.#app = app;
    this.#metrics = metrics;
  }

  joins(view: View, connection: PublishingConnection): void {
    this.#ahead.joins(view, connection);
  }

  leaves(view: View, connection: PublishingConnection): void {
    this.#ahead.leaves(view, connection);
  }

  add(receiver: Receiver, connection: PublishingConnection): void {
    this.#connections.set(receiver.id, connection);
  }

  /** The connection ended with `unsentBytes` in its buffer: takes back what was counted as delivered. */
  remove(receiver: Receiver, unsentBytes: number): void {
    this.#connections.delete(receiver.id);
    const published = this.#publishedTo(receiver);
    const isOurs = (view: number) => receiver.isSubscribedTo(view);
    const publications = this.#past.publicationsIn(unsentBytes, published, isOurs);
    if (publications > 0) this.#metrics.deliveriesTotal.retract(publications);
  }

  /** Any of the open sockets. */
  openSocket(): PublishingSocket | undefined {
    const [first] = this.#connections.values();
    return first?.socket;
  }

  beginTurn(): void {
    const leftOut = this.#ahead.takeLeftOut();
    const dropped = this.#dropped;
    if (dropped.size > 0) {
      this.#dropped = new Map();
      for (const each of dropped.values()) this.#lag(each, leftOut.get(each.receiver));
    }
    for (const [receiver, { lost, frames }] of leftOut)
      if (!dropped.has(receiver.id)) receiver.rejoin(lost, frames);
    if (this.#turn.length > 0) this.#turn = [];
  }

  publish(frame: OutFrame, members: number): void {
    this.#publish(frame, members, this.#ahead.leaveOut(frame));
  }

  publishExcept(frame: OutFrame, members: number, except: string, instead: () => OutFrame): void {
    const { view, bytes } = frame;
    const without = this.#ahead.leaveOut(frame);
    const connection = this.#connections.get(except);
    const receiver = connection?.receiver;
    if (connection === undefined || receiver?.isLiveIn(view) !== true || without.includes(connection)) {
      this.#publish(frame, members, without);
      return;
    }
    const { socket } = connection;
    this.#remember(frame, receiver, without);
    if (bytes.length > 0) socket.publish(view.channel, bytes, view.options.codec.binary, false);
    this.#ahead.putBack(view, without);
    this.#publishTo(socket, receiver, instead());
    this.#count(frame, members - 1 - without.length);
  }

  #publish(frame: OutFrame, members: number, without: readonly PublishingConnection[]): void {
    const { view, bytes } = frame;
    // One that excepts a session may be empty. The library would send it.
    if (bytes.length > 0) {
      this.#remember(frame, undefined, without);
      this.#app.publish(view.channel, bytes, view.options.codec.binary, false);
      this.#count(frame, members - without.length);
    }
    this.#ahead.putBack(view, without);
  }

  /**
   * A frame for one member, by the same queue as the view's. A direct send would come before the frames of this turn
   * that the library is still to drop, or after them as if they had come. What is queued goes out though the channel is
   * left.
   */
  #publishTo(socket: PublishingSocket, receiver: Receiver, frame: OutFrame): void {
    const { bytes, view } = frame;
    if (bytes.length === 0) return;
    const channel = `s${receiver.id}`;
    this.#turn.push({ frame, except: undefined, without: [], only: receiver, number: this.#past.count });
    socket.subscribe(channel);
    this.#app.publish(channel, bytes, view.options.codec.binary, false);
    socket.unsubscribe(channel);
    this.#count(frame, 1);
  }

  #count({ view, bytes, publications }: OutFrame, members: number): void {
    this.#metrics.deliveriesTotal.inc(publications * members);
    this.#metrics.sentBytesTotal.inc(bytes.length * members);
    view.options.codec.countSent?.(bytes.length * members);
  }

  /** Called from inside the library: only remembers. Pings and direct sends are not frames of the turn. */
  dropped(receiver: Receiver, message: ArrayBuffer): void {
    if (message.byteLength === 0) return;
    const bytes = Buffer.from(message);
    const first = this.#turn.findIndex(({ frame }) => bytes.equals(frame.bytes));
    if (first !== -1) this.#missed(receiver, first);
  }

  /** How many frames had been published when the session lost its first one; all, where it lost none. */
  #publishedTo(receiver: Receiver): number {
    const dropped = this.#dropped.get(receiver.id);
    if (dropped !== undefined) return (this.#turn[dropped.first] as TurnFrame).number;
    return (receiver.isLagging ? this.#lostSince.get(receiver) : undefined) ?? this.#past.count;
  }

  #missed(receiver: Receiver, first: number): void {
    const existing = this.#dropped.get(receiver.id);
    if (existing === undefined) {
      this.#dropped.set(receiver.id, { receiver, views: new Set(receiver.liveViews), first });
      return;
    }
    for (const view of receiver.liveViews) existing.views.add(view);
    existing.first = Math.min(existing.first, first);
  }

  #lag({ receiver, views, first }: Drop, leftOut: LeftOut | undefined): void {
    const lost = new Map<Feed, Position>();
    let publications = 0;
    let frames = 0;
    for (let i = first; i < this.#turn.length; i++) {
      const { frame, except, without, only = receiver } = this.#turn[i] as TurnFrame;
      const { view, feed, epoch, after } = frame;
      if (!views.has(view) || except === receiver || only !== receiver) continue;
      if (without.some((each) => each.receiver === receiver)) continue;
      frames++;
      publications += frame.publications;
      if (feed !== undefined && !lost.has(feed)) lost.set(feed, { epoch, offset: after });
    }
    this.#metrics.deliveriesTotal.retract(publications);
    this.#metrics.dropsTotal.inc(frames);
    if (!receiver.isLagging) this.#lostSince.set(receiver, (this.#turn[first] as TurnFrame).number);
    // Of a feed that is in both, it lost what came before the frame that it was left out of.
    receiver.lag(new Map([...(leftOut?.lost ?? []), ...lost]), frames + (leftOut?.frames ?? 0));
  }

  #remember(frame: OutFrame, except: Receiver | undefined, without: readonly PublishingConnection[]): void {
    this.#turn.push({ frame, except, without, only: undefined, number: this.#past.count });
    this.#past.add(frame.view.id, frame.bytes.length, frame.publications);
  }
}

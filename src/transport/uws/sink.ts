import type { TemplatedApp } from 'uWebSockets.js';
import { framesPerTurn, type OutFrame, type Sink } from '../../fanout/sink.ts';
import type { Feed, View } from '../../fanout/view.ts';
import type { Metrics } from '../../metrics.ts';
import type { Position } from '../../protocol/frames.ts';
import type { Session } from '../../sessions/session.ts';
import type { UwsConnection } from './connection.ts';
import { PastFrames } from './past-frames.ts';

type SinkMetrics = Pick<Metrics, 'deliveriesTotal' | 'sentBytesTotal' | 'dropsTotal'>;

interface TurnFrame {
  readonly frame: OutFrame;
  /** Got something else in its place. */
  readonly except: Session | undefined;
  /** The only one that got it; undefined: all members did. */
  readonly only: Session | undefined;
  /** How many frames had been published before. */
  readonly number: number;
}

interface Dropped {
  readonly session: Session;
  /** Whose frames it was to get when it was told; it may have left one of them since. */
  readonly views: Set<View>;
  /** Index in the turn's frames of the first that it did not get. */
  first: number;
}

/**
 * Writes frames by uWebSockets.js's own publish, once per view.
 *
 * What a socket over its limit did not get is told by `dropped`, from inside the library's drain, where nothing may be
 * done but remember. It names the first frame of a drain that was lost; the rest of the drain is lost for that socket
 * without a word, whatever its topic. So the frames of a turn are kept, and before the next one is published the
 * session leaves its views and is told where to continue in each.
 */
export class UwsSink implements Sink {
  readonly framesPerTurn = framesPerTurn;
  readonly #app: TemplatedApp;
  readonly #connections: ReadonlyMap<string, UwsConnection>;
  readonly #metrics: SinkMetrics;
  #turn: TurnFrame[] = [];
  #dropped = new Map<string, Dropped>();
  readonly #past = new PastFrames();
  /** At which of the frames that were published each lagging session left off. */
  readonly #lostSince = new WeakMap<Session, number>();

  constructor(app: TemplatedApp, connections: ReadonlyMap<string, UwsConnection>, metrics: SinkMetrics) {
    this.#app = app;
    this.#connections = connections;
    this.#metrics = metrics;
  }

  beginTurn(): void {
    if (this.#dropped.size > 0) {
      const dropped = this.#dropped;
      this.#dropped = new Map();
      for (const each of dropped.values()) this.#lag(each);
    }
    if (this.#turn.length > 0) this.#turn = [];
  }

  publish(frame: OutFrame): void {
    const { view, bytes, publications } = frame;
    this.#remember(frame, undefined);
    this.#app.publish(view.channel, bytes, view.options.codec.binary, false);
    this.#metrics.deliveriesTotal.inc(publications * view.members);
    this.#metrics.sentBytesTotal.inc(bytes.length * view.members);
  }

  publishExcept(frame: OutFrame, except: string, instead: () => OutFrame): void {
    const connection = this.#connections.get(except);
    const session = connection?.session;
    if (connection === undefined || session === undefined || !session.isLiveIn(frame.view)) {
      this.publish(frame);
      return;
    }
    const { view, bytes, publications } = frame;
    this.#remember(frame, session);
    connection.socket.publish(view.channel, bytes, view.options.codec.binary, false);
    this.#publishTo(connection, session, instead());
    this.#metrics.deliveriesTotal.inc(publications * (view.members - 1));
    this.#metrics.sentBytesTotal.inc(bytes.length * (view.members - 1));
  }

  /**
   * A frame for one member, by the same queue as the view's: a direct send would come before the frames of this turn that
   * the library is still to drop, or after them as if they had come. What is queued goes out though the channel is left.
   */
  #publishTo({ socket }: UwsConnection, session: Session, frame: OutFrame): void {
    const { bytes, view } = frame;
    const channel = `s${session.id}`;
    this.#turn.push({ frame, except: undefined, only: session, number: this.#past.count });
    socket.subscribe(channel);
    this.#app.publish(channel, bytes, view.options.codec.binary, false);
    socket.unsubscribe(channel);
    this.#metrics.deliveriesTotal.inc(frame.publications);
    this.#metrics.sentBytesTotal.inc(bytes.length);
  }

  /** Called from inside the library: only remembers. Pings and direct sends are no frame of the turn. */
  dropped(session: Session, message: ArrayBuffer): void {
    if (message.byteLength === 0) return;
    const bytes = Buffer.from(message);
    const first = this.#turn.findIndex(({ frame }) => bytes.equals(frame.bytes));
    if (first !== -1) this.#missed(session, first);
  }

  /** The session ended with so many bytes unsent: takes back what was counted as delivered. */
  ended(session: Session, bufferedBytes: number): void {
    const heard = this.#heard(session);
    const publications = this.#past.publicationsIn(bufferedBytes, heard, (view) => session.views.has(view));
    if (publications > 0) this.#metrics.deliveriesTotal.retract(publications);
  }

  /** How many frames had been published when the session left off. */
  #heard(session: Session): number {
    const dropped = this.#dropped.get(session.id);
    if (dropped !== undefined) return (this.#turn[dropped.first] as TurnFrame).number;
    return (session.isLagging ? this.#lostSince.get(session) : undefined) ?? this.#past.count;
  }

  #missed(session: Session, first: number): void {
    const known = this.#dropped.get(session.id);
    if (known === undefined) {
      this.#dropped.set(session.id, { session, views: liveViews(session), first });
      return;
    }
    for (const view of liveViews(session)) known.views.add(view);
    known.first = Math.min(known.first, first);
  }

  #lag({ session, views, first }: Dropped): void {
    const lost = new Map<Feed, Position>();
    let publications = 0;
    let frames = 0;
    for (let i = first; i < this.#turn.length; i++) {
      const { frame, except, only = session } = this.#turn[i] as TurnFrame;
      const { view, feed, epoch, after } = frame;
      if (!views.has(view) || except === session || only !== session) continue;
      frames++;
      publications += frame.publications;
      if (feed !== undefined && !lost.has(feed)) lost.set(feed, { epoch, offset: after });
    }
    this.#metrics.deliveriesTotal.retract(publications);
    this.#metrics.dropsTotal.inc(frames);
    if (!session.isLagging) this.#lostSince.set(session, (this.#turn[first] as TurnFrame).number);
    session.lag(lost, frames);
  }

  #remember(frame: OutFrame, except: Session | undefined): void {
    this.#turn.push({ frame, except, only: undefined, number: this.#past.count });
    const { view, bytes, publications } = frame;
    view.frames++;
    this.#past.add(view.id, bytes.length, publications);
  }
}

function liveViews({ views }: Session): Set<View> {
  return new Set([...views.values()].filter(({ isLive }) => isLive).map(({ view }) => view));
}

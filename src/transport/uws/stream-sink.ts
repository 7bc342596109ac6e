import type { OutFrame, Receiver, Sink } from '../../fanout/sink.ts';
import type { Feed, View } from '../../fanout/view.ts';
import type { Metrics } from '../../metrics.ts';
import type { Position } from '../../protocol/frames.ts';
import type { StreamCursors } from '../../sessions/subscriptions/stream-cursors.ts';
import { type EventNames, eventBytes } from '../event-stream.ts';
import { IdentifiedEvent } from '../identified-event.ts';

export interface StreamReceiver extends Receiver {
  /**
   * The session that its client had before, which publications may except: a client whose poll waits knows no other.
   */
  readonly formerId: string | undefined;
}

/** A connection as a member of the views of this sink. */
export interface StreamMember {
  /** Set as soon as it is open. */
  readonly receiver: StreamReceiver | undefined;
  /** Publications that were published to it and are still in this process. */
  readonly unsentPublications: number;
  /**
   * A frame of a view: the first one that waits for `flush`, or another. `none`: the client reads too slowly, and does
   * not get it.
   */
  take(frame: OutFrame, events: SharedEvents): 'first' | 'another' | 'none';
  /** Sends what was taken in this turn. */
  flush(): void;
}

/** One frame as an event, made once for all members that want the same name. */
export class SharedEvents {
  readonly #bytes: Uint8Array;
  #unnamed: IdentifiedEvent | undefined;
  #named: IdentifiedEvent | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  of(names: EventNames): IdentifiedEvent {
    if (names === 'type') {
      this.#named ??= this.#made(names);
      return this.#named;
    }
    this.#unnamed ??= this.#made(names);
    return this.#unnamed;
  }

  #made(names: EventNames): IdentifiedEvent {
    return new IdentifiedEvent(eventBytes(this.#bytes, names).event);
  }
}

export interface StreamSinkOptions<M> {
  readonly transport: string;
  readonly cursors: StreamCursors;
  readonly metrics: Pick<Metrics, 'deliveriesTotal' | 'sentBytesTotal' | 'dropsTotal'>;
  /** Told of a connection that is gone, after it was removed here. */
  readonly closed: (member: M) => void;
}

/** What a member lost in this turn. */
interface Loss {
  readonly receiver: StreamReceiver;
  readonly lost: Map<Feed, Position>;
  /** It had room for the frame, but has had a part of what it covers. */
  readonly isRepeat: boolean;
  frames: number;
}

/** The same as of the sink of WebSockets, with which it shares views. */
const framesMaxPerTurn = 31;

/**
 * Hands frames one by one to members that the library's own publish can't serve. Bytes are made once per frame and
 * shared. All that a member gets in one turn of the fan-out leaves together, right after it.
 */
export class StreamSink<M extends StreamMember = StreamMember> implements Sink {
  readonly transport: string;
  readonly framesMaxPerTurn = framesMaxPerTurn;
  readonly #options: StreamSinkOptions<M>;
  readonly #members = new Map<View, Set<M>>();
  readonly #connections = new Set<M>();
  /** Connections that have frames of this turn. One that is gone meanwhile has none any more. */
  #dirty: M[] = [];
  readonly #losses = new Map<M, Loss>();

  constructor(options: StreamSinkOptions<M>) {
    this.transport = options.transport;
    this.#options = options;
  }

  /** The open connections. */
  get connections(): Iterable<M> {
    return this.#connections;
  }

  add(member: M): void {
    this.#connections.add(member);
  }

  join(view: View, member: M): void {
    const members = this.#members.get(view);
    if (members === undefined) this.#members.set(view, new Set([member]));
    else members.add(member);
  }

  leave(view: View, member: M): void {
    const members = this.#members.get(view);
    members?.delete(member);
    if (members?.size === 0) this.#members.delete(view);
  }

  /** Whether it lost frames that its receiver was not told of yet. */
  hasLost(member: M): boolean {
    return this.#losses.size > 0 && this.#losses.has(member);
  }

  /** The connection is gone. Takes back what was counted as delivered but was not. */
  gone(member: M): void {
    this.#losses.delete(member);
    this.unsent(member.unsentPublications);
    if (this.#connections.delete(member)) this.#options.closed(member);
  }

  /** Takes back this many publications that were counted as delivered. */
  unsent(publications: number): void {
    if (publications > 0) this.#options.metrics.deliveriesTotal.retract(publications);
  }

  beginTurn(): void {
    if (this.#losses.size === 0) return;
    const losses = [...this.#losses.values()];
    this.#losses.clear();
    for (const { receiver, lost, isRepeat, frames } of losses) {
      if (isRepeat) receiver.rejoin(lost, frames);
      else receiver.lag(lost, frames);
    }
  }

  publish(frame: OutFrame): void {
    const members = this.#members.get(frame.view);
    if (members === undefined) return;
    this.#options.cursors.publishing(frame, () => this.#publish(frame, members, undefined));
  }

  publishExcept(frame: OutFrame, _members: number, except: string, instead: () => OutFrame): void {
    const members = this.#members.get(frame.view);
    if (members === undefined) return;
    this.#options.cursors.publishing(frame, () => {
      const excepted = this.#publish(frame, members, except);
      if (excepted.length > 0) this.#publish(instead(), excepted, undefined);
    });
  }

  /** Returns the members that are excepted. */
  #publish(frame: OutFrame, members: Iterable<M>, except: string | undefined): readonly M[] {
    const { metrics } = this.#options;
    const { bytes, publications } = frame;
    const events = new SharedEvents(bytes);
    const excepted: M[] = [];
    let count = 0;
    for (const member of members) {
      if (except !== undefined && isSession(member, except)) excepted.push(member);
      else if (this.#hand(member, frame, events)) count++;
    }
    metrics.deliveriesTotal.inc(publications * count);
    metrics.sentBytesTotal.inc(bytes.length * count);
    return excepted;
  }

  /** Returns whether it could take the frame. */
  #hand(member: M, frame: OutFrame, events: SharedEvents): boolean {
    const loss = this.#losses.size === 0 ? undefined : this.#losses.get(member);
    if (loss !== undefined) {
      this.#lose(loss, frame);
      return false;
    }
    const { receiver } = member;
    const overlap = receiver?.overlap(frame) ?? 'nothing';
    if (overlap === 'all') return false;
    const taken = overlap === 'nothing' ? member.take(frame, events) : 'none';
    if (taken === 'first') {
      if (this.#dirty.length === 0) queueMicrotask(() => this.#flush());
      this.#dirty.push(member);
    }
    if (taken !== 'none') return true;
    if (receiver === undefined) return false;
    const newLoss: Loss = { receiver, lost: new Map(), isRepeat: overlap === 'some', frames: 0 };
    this.#losses.set(member, newLoss);
    this.#lose(newLoss, frame);
    return false;
  }

  /** Notes a lost frame. The member gets no later frame of the same turn either. */
  #lose(loss: Loss, { feed, epoch, after }: OutFrame): void {
    loss.frames++;
    if (feed !== undefined && !loss.lost.has(feed)) loss.lost.set(feed, { epoch, offset: after });
    if (!loss.isRepeat) this.#options.metrics.dropsTotal.inc();
  }

  #flush(): void {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const member of dirty) member.flush();
  }
}

/** Whether it is this session, or the next one of its client. */
function isSession({ receiver }: StreamMember, id: string): boolean {
  return receiver?.id === id || receiver?.formerId === id;
}

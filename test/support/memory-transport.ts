import type { CloseCode } from '../../src/errors.ts';
import type { Member, OutFrame, Receiver, Sink } from '../../src/fanout/sink.ts';
import type { Feed, View } from '../../src/fanout/view.ts';
import type { Metrics } from '../../src/metrics.ts';
import type { Position } from '../../src/protocol/frames.ts';
import type { Connection } from '../../src/sessions/connection.ts';
import type { Codec } from './codecs.ts';

interface Lost {
  readonly receiver: Receiver;
  readonly positions: Map<Feed, Position>;
  readonly isRepeat: boolean;
  frames: number;
}

/** The parts of a session that its connection uses. */
interface Subscribed {
  readonly views: Receiver;
  pump(): void;
}

type MemoryMetrics = Pick<Metrics, 'deliveriesTotal' | 'sentBytesTotal' | 'dropsTotal'>;

/** The smallest sink that keeps the contract: it hands each frame to each connection, one after the other. */
export class MemorySink implements Sink {
  readonly transport = 'memory';
  readonly framesMaxPerTurn = 8;
  readonly #metrics: MemoryMetrics;
  readonly #members = new Map<View, Set<MemoryConnection>>();
  #lost = new Map<MemoryConnection, Lost>();

  constructor(metrics: MemoryMetrics) {
    this.#metrics = metrics;
  }

  membersOf(view: View): Set<MemoryConnection> {
    let members = this.#members.get(view);
    if (members === undefined) {
      members = new Set();
      this.#members.set(view, members);
    }
    return members;
  }

  beginTurn(): void {
    const lost = this.#lost;
    this.#lost = new Map();
    for (const { receiver, positions, isRepeat, frames } of lost.values()) {
      if (isRepeat) receiver.rejoin(positions, frames);
      else receiver.lag(positions, frames);
    }
  }

  publish(frame: OutFrame): void {
    for (const connection of this.membersOf(frame.view)) this.#deliver(connection, frame);
  }

  publishExcept(frame: OutFrame, _members: number, except: string, instead: () => OutFrame): void {
    for (const connection of this.membersOf(frame.view)) {
      this.#deliver(connection, connection.receiver?.id === except ? instead() : frame);
    }
  }

  sent(bytes: number): void {
    this.#metrics.sentBytesTotal.inc(bytes);
  }

  /** Takes back what a connection that ended had not read. */
  ended(unread: number): void {
    this.#metrics.deliveriesTotal.retract(unread);
  }

  /** What a connection lost in this turn makes it lose the rest of the turn. */
  #deliver(connection: MemoryConnection, frame: OutFrame): void {
    const receiver = connection.receiver as Receiver;
    const known = this.#lost.get(connection);
    const had = known === undefined ? receiver.overlap(frame) : 'nothing';
    if (had === 'all') return;
    const isRepeat = had === 'some';
    if (known === undefined && !isRepeat && connection.take(frame.bytes, frame.publications) === 'sent') {
      this.#metrics.deliveriesTotal.inc(frame.publications);
      return;
    }
    const lost = known ?? { receiver, positions: new Map(), isRepeat, frames: 0 };
    if (!lost.isRepeat) this.#metrics.dropsTotal.inc();
    this.#lost.set(connection, lost);
    lost.frames++;
    const { feed, epoch, after: offset } = frame;
    if (feed !== undefined && !lost.positions.has(feed)) lost.positions.set(feed, { epoch, offset });
  }
}

/** A connection whose peer reads at once, or not at all while it is paused. */
export class MemoryConnection implements Connection, Member {
  readonly sink: MemorySink;
  readonly codec: Codec;
  /** What the peer has read. */
  readonly messages: Uint8Array[] = [];
  readonly #limitBytes: number;
  #session: Subscribed | undefined;
  #unread: { readonly bytes: Uint8Array; readonly publications: number }[] = [];
  #isPaused = false;
  #isClosed = false;
  #onEnd: (code: CloseCode | 'terminated') => void = () => undefined;

  constructor(sink: MemorySink, codec: Codec, limitBytes: number) {
    this.sink = sink;
    this.codec = codec;
    this.#limitBytes = limitBytes;
  }

  get receiver(): Receiver | undefined {
    return this.#session?.views;
  }

  opened(session: Subscribed, onEnd: (code: CloseCode | 'terminated') => void): void {
    this.#session = session;
    this.#onEnd = onEnd;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    for (const { bytes } of this.#unread.splice(0)) this.messages.push(bytes);
    this.#session?.pump();
  }

  /** `dropped`: too much is unread already. */
  take(bytes: Uint8Array, publications: number): 'sent' | 'dropped' {
    if (this.#isClosed) return 'sent';
    if (this.bufferedBytes() > this.#limitBytes) return 'dropped';
    if (this.#isPaused) this.#unread.push({ bytes, publications });
    else this.messages.push(bytes);
    this.sink.sent(bytes.length);
    return 'sent';
  }

  send(message: Uint8Array): 'sent' | 'dropped' {
    return this.take(message, 0);
  }

  cork(run: () => void): void {
    run();
  }

  bufferedBytes(): number {
    return this.#unread.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  join(view: View): void {
    if (!this.#isClosed) this.sink.membersOf(view).add(this);
  }

  leave(view: View): void {
    this.sink.membersOf(view).delete(this);
  }

  end(code: CloseCode): void {
    this.#close(code);
  }

  terminate(): void {
    this.#close('terminated');
  }

  #close(code: CloseCode | 'terminated'): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.sink.ended(this.#unread.reduce((sum, { publications }) => sum + publications, 0));
    this.#unread = [];
    this.#onEnd(code);
  }
}

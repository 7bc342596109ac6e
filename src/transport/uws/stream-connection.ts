import type { CloseCode } from '../../errors.ts';
import type { OutFrame, Sink } from '../../fanout/sink.ts';
import type { View } from '../../fanout/view.ts';
import type { BareCounter } from '../../metrics.ts';
import type { Codec } from '../../protocol/codec.ts';
import { codecs } from '../../protocol/codecs.ts';
import type { Connection } from '../../sessions/connection.ts';
import type { Session } from '../../sessions/session.ts';
import type { CursorHolder, StreamCursors } from '../../sessions/subscriptions/stream-cursors.ts';
import type { SharedEvents, StreamMember, StreamReceiver, StreamSink } from './stream-sink.ts';

export interface StreamConnectionOptions {
  readonly acknowledges: Connection['acknowledges'];
  /** `subscriptionsKey` of what the client asks for. */
  readonly subscriptions: string;
}

/** What a connection uses of its sink. */
type OwnSink = Sink & Pick<StreamSink, 'join' | 'leave' | 'hasLost' | 'gone' | 'unsent'>;

/**
 * What all connections of a transport share: one object, which a delivery to a thousand of them finds in the
 * processor's cache.
 */
export interface SharedByConnections {
  readonly sink: OwnSink;
  readonly cursors: StreamCursors;
  /** Above this a connection takes no more frames. */
  readonly backpressureMaxBytes: number;
  readonly sentBytes: BareCounter;
  readonly monotonicMs: () => number;
}

/** The connection of a session whose client resumes by one cursor: a stream, or the polls of one client. */
export abstract class StreamConnection implements Connection, StreamMember {
  readonly codec: Codec = codecs.json;
  readonly comparesOffsets = false;
  readonly acknowledges: Connection['acknowledges'];
  readonly subscriptions: string;
  readonly sink: OwnSink;
  readonly #cursors: StreamCursors;
  #session: Session | undefined;
  #closed = false;
  #holder: CursorHolder | undefined;
  /** What `holdCursor` has held. */
  #held: { readonly start: string | undefined } | undefined;

  constructor({ sink, cursors }: SharedByConnections, options: StreamConnectionOptions) {
    this.acknowledges = options.acknowledges;
    this.subscriptions = options.subscriptions;
    this.sink = sink;
    this.#cursors = cursors;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  get receiver(): StreamReceiver | undefined {
    return this.#session?.views;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** It is the connection of this session from now on. */
  opened(session: Session): void {
    this.#session = session;
  }

  /** The client's cursor covers all that it subscribes to from now on. Undefined: it does not yet. */
  protected get holder(): CursorHolder | undefined {
    return this.#holder;
  }

  protected covers(session: Session): CursorHolder {
    this.#holder = { session, subscriptions: this.subscriptions };
    return this.#holder;
  }

  /**
   * The client's cursor after all that it was sent, without its end; undefined: it has not moved, as far as is known.
   */
  protected cursorStart(): string | undefined {
    if (this.#held !== undefined) return this.#held.start;
    if (this.#holder === undefined || this.sink.hasLost(this)) return undefined;
    return this.#cursors.startOf(this.#holder);
  }

  holdCursor(): void {
    this.#held ??= { start: this.cursorStart() };
  }

  join(view: View): void {
    if (!this.#closed) this.sink.join(view, this);
  }

  leave(view: View): void {
    this.sink.leave(view, this);
  }

  /** The client is gone, or has its last response: nothing more may be written. */
  gone(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.sink.gone(this);
    this.dropUnsent();
  }

  protected abstract dropUnsent(): void;
  abstract readonly unsentPublications: number;
  abstract take(frame: OutFrame, events: SharedEvents): 'first' | 'another' | 'none';
  abstract flush(): void;
  abstract send(message: Uint8Array): 'sent' | 'dropped';
  abstract cork(run: () => void): void;
  abstract bufferedBytes(): number;
  abstract end(code: CloseCode): void;
  abstract terminate(): void;
}

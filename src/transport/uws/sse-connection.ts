import type { HttpResponse } from 'uWebSockets.js';
import type { CloseCode } from '../../errors.ts';
import type { OutFrame } from '../../fanout/sink.ts';
import { utf8 } from '../../protocol/utf8.ts';
import type { Session } from '../../sessions/session.ts';
import { cursorEnd } from '../../sessions/subscriptions/stream-cursors.ts';
import { type EventNames, emptyComment, eventBytes, heartbeat } from '../event-stream.ts';
import { IdentifiedEvent } from '../identified-event.ts';
import {
  type SharedByConnections,
  StreamConnection,
  type StreamConnectionOptions,
} from './stream-connection.ts';
import type { SharedEvents } from './stream-sink.ts';

/** What a connection uses of the library's response. */
export type StreamResponse = Pick<HttpResponse, 'write' | 'cork' | 'onWritable' | 'end' | 'close'>;

export interface SseConnectionOptions extends StreamConnectionOptions {
  readonly response: StreamResponse;
  readonly names: EventNames;
}

export interface SharedByStreams extends SharedByConnections {
  /** The connection is to be probed until `probe` returns false. */
  readonly suspect: (connection: SseConnection) => void;
}

/** Whole events, which leave in one piece or not at all. */
interface Piece {
  /** The id of its last event without its end, which is the connection's; undefined: the event has none. */
  readonly idStart: string | undefined;
  /** Shared by all clients that want the same. */
  readonly event: IdentifiedEvent;
  /** Events before the one that has the id. */
  readonly before?: Uint8Array;
  readonly bytes: number;
  /** The publications of a frame that was published; 0: it was sent to this client alone. */
  readonly publications: number;
}

const noBytes = new Uint8Array(0);
/** Stands for a comment of which the library may hold a part. */
const stuckComment: Piece = {
  idStart: undefined,
  event: new IdentifiedEvent(emptyComment),
  bytes: emptyComment.length,
  publications: 0,
};

/** The library holds nothing once it has taken this many in a row. */
const probes = 2;
/** A socket that takes any of less than this, written in one cork, takes all of it. */
const suspectBytes = 8 * 1024;
const probeAfterMs = 1000;

/**
 * A stream of Server-Sent Events as the connection of a session.
 *
 * The library buffers whatever is written and tells of a full socket only by the result, so the connection stops there:
 * what follows waits here, as references to shared bytes, until the socket takes more. What the library holds it writes
 * only together with something new (test/transport/uws/facts.test.ts), it does not always tell when it could, and it
 * gives up a response that makes no progress for 8 to 12 s. So a comment is written now and then while it may hold
 * something.
 */
export class SseConnection extends StreamConnection {
  readonly beginsParked = true;
  readonly names: EventNames;
  readonly #shared: SharedByStreams;
  readonly #response: StreamResponse;
  /** Messages before the response has begun. */
  #held: Uint8Array[] | undefined = [];
  /** Bytes of these, and of frames before the response has begun. */
  #heldBytes = 0;
  /** What its ids end with, and the end of the line. */
  #idEnd: Uint8Array = noBytes;
  /** Frames of this turn. */
  #turn: Piece[] = [];
  #queue: Piece[] = [];
  #queuedBytes = 0;
  /** The piece that the library may still hold a part of; undefined: the socket has taken everything. */
  #stuck: Piece | undefined;
  #stuckSinceMs = 0;
  #wroteAtMs = 0;
  #isCorked = false;
  /** Bytes written in this cork, or the last one. */
  #corkedBytes = 0;
  /** Bytes written since it was last known that the library holds nothing. */
  #unprobedBytes = 0;
  #probesLeft = 0;

  constructor(shared: SharedByStreams, options: SseConnectionOptions) {
    super(shared, options);
    this.#shared = shared;
    this.#response = options.response;
    this.names = options.names;
  }

  override get unsentPublications(): number {
    let count = this.#stuck?.publications ?? 0;
    for (const { publications } of [...this.#queue, ...this.#turn]) count += publications;
    return count;
  }

  /**
   * The response may begin: `writeHead` writes its head, and `subscribed` sends what the client is told first. Only now
   * the client's cursor covers all that it subscribes to, and it is sent publications.
   */
  begin(session: Session, writeHead: () => void, subscribed: () => void): void {
    this.#corked(() => {
      writeHead();
      this.#response.onWritable(() => this.#drain());
      const held = this.#held ?? [];
      this.#held = undefined;
      this.#heldBytes = 0;
      for (const message of held) this.#sendNow(message);
      this.#flush();
      this.#idEnd = utf8(`${cursorEnd(this.covers(session))}\n`);
      subscribed();
      session.views.unpark();
    });
  }

  override take({ bytes, publications }: OutFrame, events: SharedEvents): 'first' | 'another' | 'none' {
    if (this.isClosed) return 'another';
    if (this.bufferedBytes() > this.#shared.backpressureMaxBytes) return 'none';
    if (this.#held !== undefined) this.#heldBytes += bytes.length;
    const event = events.of(this.names);
    this.#turn.push({ idStart: this.cursorStart(), event, bytes: bytes.length, publications });
    return this.#turn.length === 1 ? 'first' : 'another';
  }

  override flush(): void {
    if (this.isClosed || this.#held !== undefined || this.#turn.length === 0) return;
    if (this.#isCorked) this.#flush();
    else this.#corked(() => this.#flush());
  }

  override send(message: Uint8Array): 'sent' | 'dropped' {
    if (this.isClosed) return 'sent';
    if (this.bufferedBytes() > this.#shared.backpressureMaxBytes) return 'dropped';
    if (this.#held !== undefined) {
      this.#held.push(message);
      this.#heldBytes += message.length;
    } else {
      this.cork(() => {
        this.#flush();
        this.#sendNow(message);
      });
    }
    return 'sent';
  }

  override cork(run: () => void): void {
    if (this.#isCorked || this.isClosed || this.#held !== undefined) run();
    else this.#corked(run);
  }

  override bufferedBytes(): number {
    return this.isClosed ? 0 : this.#heldBytes + this.#queuedBytes + (this.#stuck?.bytes ?? 0);
  }

  /** What the client has not read, it is sent when it reconnects. */
  override end(_code: CloseCode): void {
    if (this.#held !== undefined) this.terminate();
    else if (!this.isClosed) {
      this.flush();
      // `end` without `closeConnection`: with it the library writes that header into the chunked body.
      this.cork(() => this.#response.end());
      this.gone();
    }
  }

  override terminate(): void {
    // The library calls back at once, as for a client that is gone.
    if (!this.isClosed) this.#response.close();
  }

  protected override dropUnsent(): void {
    this.#turn = [];
    this.#queue = [];
    this.#stuck = undefined;
  }

  /** Writes something into a silent stream. Call it about once a second. Ends a client that takes nothing. */
  beat(nowMs: number, heartbeatMs: number, writeTimeoutMs: number): void {
    if (this.isClosed || this.#held !== undefined) return;
    const silentMs = nowMs - this.#wroteAtMs;
    if (this.#stuck === undefined) {
      if (silentMs >= heartbeatMs) this.#comment(heartbeat);
      // Small pieces may fill a socket too; what the library holds is written with the next piece, if one comes.
      else if (silentMs >= probeAfterMs && this.#unprobedBytes >= suspectBytes) this.#suspect();
    } else if (nowMs - this.#stuckSinceMs >= writeTimeoutMs) this.session?.terminate();
  }

  #sendNow(message: Uint8Array): void {
    this.#shared.sentBytes.inc(message.length);
    this.#write(this.#pieceOf(message));
  }

  #corked(run: () => void): void {
    this.#isCorked = true;
    this.#corkedBytes = 0;
    try {
      this.#response.cork(() => {
        run();
        this.#endChunk();
      });
    } finally {
      this.#isCorked = false;
    }
    this.#unprobedBytes += this.#corkedBytes;
    // The library does not report either whether the end of a cork has written everything.
    if (this.#corkedBytes >= suspectBytes && !this.isClosed) this.#suspect();
  }

  /**
   * The library writes the end of a chunk only with the next one, and some clients wait for it before they read the
   * chunk (Python's `requests`). So a comment follows the last event.
   */
  #endChunk(): void {
    if (this.isClosed || this.#stuck !== undefined || this.#corkedBytes === 0) return;
    if (!this.#response.write(emptyComment)) this.#stick();
  }

  #pieceOf(message: Uint8Array): Piece {
    const { before, event } = eventBytes(message, this.names);
    const own = { before, event: new IdentifiedEvent(event) };
    return { ...own, idStart: this.cursorStart(), bytes: message.length, publications: 0 };
  }

  #flush(): void {
    if (this.#turn.length === 0) return;
    const turn = this.#turn;
    this.#turn = [];
    for (const piece of turn) this.#write(piece);
  }

  /** Call it corked. */
  #write(piece: Piece): void {
    if (this.isClosed) return;
    if (this.#stuck === undefined) this.#put(piece);
    else {
      this.#queue.push(piece);
      this.#queuedBytes += piece.bytes;
    }
  }

  #put(piece: Piece): void {
    const { idStart, event, before } = piece;
    if (before !== undefined && before.length > 0) this.#response.write(before);
    const bytes = idStart === undefined ? event.withoutId : event.withId(idStart, this.#idEnd);
    // The library writes what it holds before anything new, so the last result covers all of it.
    const isTaken = this.#response.write(bytes);
    this.#wroteAtMs = this.#shared.monotonicMs();
    this.#corkedBytes += piece.bytes;
    if (isTaken) return;
    this.#stuck = piece;
    this.#stuckSinceMs = this.#wroteAtMs;
    this.#suspect();
  }

  #comment(comment: Uint8Array): void {
    this.cork(() => {
      const isTaken = this.#response.write(comment);
      this.#wroteAtMs = this.#shared.monotonicMs();
      if (!isTaken) this.#stick();
    });
  }

  /** The library holds something, if only a comment. */
  #stick(): void {
    if (this.#stuck === undefined) this.#stuckSinceMs = this.#wroteAtMs;
    this.#stuck ??= stuckComment;
  }

  /**
   * Writes a comment, with which the library writes what it holds, and then what waits here. Returns whether all was
   * taken.
   */
  #drain(): boolean {
    if (this.isClosed) return true;
    this.#suspect();
    let isTaken = false;
    this.cork(() => {
      isTaken = this.#response.write(emptyComment);
    });
    this.#wroteAtMs = this.#shared.monotonicMs();
    if (!isTaken) {
      this.#stick();
      return false;
    }
    this.#stuck = undefined;
    this.#unprobedBytes = 0;
    this.cork(() => {
      while (this.#queue.length > 0 && this.#stuck === undefined) {
        const piece = this.#queue.shift() as Piece;
        this.#queuedBytes -= piece.bytes;
        this.#put(piece);
      }
    });
    if (this.isClosed) return true;
    if (this.#stuck !== undefined) return false;
    this.session?.pump();
    return true;
  }

  /**
   * The library may hold a remainder, now or after the end of a cork, and does not always tell when it can be written.
   */
  #suspect(): void {
    this.#probesLeft = probes;
    this.#shared.suspect(this);
  }

  /** Finds out whether the library holds something. Returns whether it is to be called again in a moment. */
  probe(): boolean {
    if (this.isClosed || this.#held !== undefined) return false;
    const probesLeft = this.#probesLeft - 1;
    this.#probesLeft = this.#drain() ? probesLeft : probes;
    return this.#probesLeft > 0;
  }
}

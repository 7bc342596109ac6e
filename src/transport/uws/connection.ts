import type { WebSocket } from 'uWebSockets.js';
import { type CloseCode, closeTable } from '../../errors.ts';
import type { Receiver } from '../../fanout/sink.ts';
import type { View } from '../../fanout/view.ts';
import type { BareCounter } from '../../metrics.ts';
import type { GatewayCodec } from '../../protocol/codec.ts';
import type { Connection } from '../../sessions/connection.ts';
import type { Peer } from '../../sessions/peer.ts';
import type { Session } from '../../sessions/session.ts';
import type { UwsSink } from './sink.ts';

/** What the upgrade request has established, for when the socket opens. */
export interface Opening {
  readonly peer: Peer;
  readonly codec: GatewayCodec;
  /** The topic that the path names, which the session is subscribed to at once. */
  readonly topic: string | undefined;
  /** When the upgrade was asked for, on the monotonic clock. */
  readonly startedAtMs: number;
}

/** The user data of each socket. It has few members, because each costs memory per connection. */
export interface SocketData {
  /** Until it is open. */
  opening: Opening | undefined;
  /** From then on. */
  connection: UwsConnection | undefined;
}

export type Socket = WebSocket<SocketData>;

/** What `send` returns when the socket's buffer is over its limit and the message is gone. */
const sendDropped = 2;

export class UwsConnection implements Connection {
  readonly sink: UwsSink;
  readonly codec: GatewayCodec;
  readonly socket: Socket;
  readonly #sentBytes: BareCounter;
  #session: Session | undefined;
  /** The socket is gone: any call on it would throw. */
  #isGone = false;
  /** What was buffered when the gateway ended it; the library can't tell any more once the socket is gone. */
  #unsentBytes = 0;

  constructor(sink: UwsSink, socket: Socket, codec: GatewayCodec, sentBytes: BareCounter) {
    this.sink = sink;
    this.socket = socket;
    this.codec = codec;
    this.#sentBytes = sentBytes;
  }

  /** The session that it is the connection of; undefined: it is not open yet. */
  get session(): Session | undefined {
    return this.#session;
  }

  get receiver(): Receiver | undefined {
    return this.#session?.views;
  }

  /** What was in its buffer when the gateway ended it. */
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  opened(session: Session): void {
    this.#session = session;
  }

  /** The socket is gone. */
  gone(): void {
    this.#isGone = true;
  }

  send(message: Uint8Array): 'sent' | 'dropped' {
    if (this.#isGone) return 'sent';
    if (this.socket.send(message, this.codec.binary, false) === sendDropped) return 'dropped';
    this.#sentBytes.inc(message.length);
    this.codec.countSent?.(message.length);
    return 'sent';
  }

  cork(run: () => void): void {
    if (this.#isGone) run();
    else this.socket.cork(run);
  }

  bufferedBytes(): number {
    return this.#isGone ? 0 : this.socket.getBufferedAmount();
  }

  join(view: View): void {
    if (this.#isGone) return;
    this.socket.subscribe(view.channel);
    this.sink.joins(view, this);
  }

  leave(view: View): void {
    this.sink.leaves(view, this);
    if (!this.#isGone) this.socket.unsubscribe(view.channel);
  }

  end(code: CloseCode): void {
    if (this.#isGone) return;
    this.#unsentBytes = this.bufferedBytes();
    this.socket.end(closeTable[code].number, code);
  }

  terminate(): void {
    if (this.#isGone) return;
    this.#unsentBytes = this.bufferedBytes();
    this.socket.close();
  }
}

import type { ClientFrame } from '../../protocol/client-frames.ts';
import type { ServerFrame, ServerKinds } from '../../protocol/server-frames.ts';
import { ClientError, localError } from '../client-error.ts';
import { closesWithinMs, handshakeId } from '../limits.ts';
import type { ClientOptions } from '../options.ts';
import type { Runtime, Socket } from '../runtime.ts';
import { Timer } from '../timer.ts';
import type { ClientCodec } from '../wire/codec.ts';
import type { ClosedBy } from './close-code.ts';

export type Greeting = ServerKinds['connected'];

export interface SocketSessionOptions extends Pick<ClientOptions, 'token' | 'connectTimeoutMs'> {
  readonly url: string;
  readonly clientName: string;
  readonly capabilities: readonly string[];
  readonly codec: ClientCodec;
  /** Returns a promise if the code of the transport has to be loaded first. It rejects with a `ClientError`. */
  readonly open: (url: string, protocol: string, token: string | undefined) => Socket | Promise<Socket>;
  readonly runtime: Runtime;
}

/** What a socket session reports. It reports nothing after `failed`, `ended` or `drop()`. */
export interface SocketSessionPort {
  /** The gateway has accepted the client. */
  accepted(greeting: Greeting): void;
  /** There is no token, the client was not accepted in time, or the gateway has refused it by this error. */
  failed(error: ClientError, isRefused: boolean): void;
  /** The socket closed; `opened`: the upgrade had succeeded. */
  ended(closed: ClosedBy, opened: boolean): void;
  readonly port: {
    /** Before the gateway accepts the client. What earlier connections were told of subscriptions holds no more. */
    greeted(): void;
    /** Each frame except those of the handshake, and the message that it came in. */
    frame(frame: ServerFrame, message: unknown): void;
    /** A message was not a frame. The connection goes on. */
    report(error: ClientError): void;
  };
}

/** The life of one socket: token, upgrade, greeting, `connect` and its reply, frames, end. */
export class SocketSession {
  #socket: Socket | undefined;
  #token: string | undefined;
  #over = false;
  #accepted = false;
  /** What is to blame where it takes too long. */
  #late: 'token_failed' | 'timeout' = 'token_failed';
  readonly #options: SocketSessionOptions;
  readonly #timer: Timer;
  readonly #port: SocketSessionPort;

  constructor(options: SocketSessionOptions, port: SocketSessionPort) {
    this.#options = options;
    this.#port = port;
    this.#timer = new Timer(options.runtime);
    this.#timer.set(options.connectTimeoutMs ?? 10_000, () => this.#fail(localError(this.#late)));
    void this.#begin();
  }

  /** `message`: the frame as a WebSocket carries it. */
  send(frame: ClientFrame, message: Uint8Array | string): void {
    const socket = this.#socket;
    if (socket?.sendFrame) socket.sendFrame(frame);
    else socket?.send(message);
  }

  /** Closes the socket; nothing that it still does is reported. */
  drop(reason = ''): void {
    this.#over = true;
    this.#timer.stop();
    this.#socket?.close(1000, reason);
    this.#socket = undefined;
  }

  async #begin(): Promise<void> {
    const { token } = this.#options;
    try {
      // So that nothing is called or reported before the constructor has returned.
      await undefined;
      const own: unknown = typeof token === 'function' ? await token() : token;
      if (own && typeof own !== 'string') throw new TypeError();
      this.#token = (own as string) || undefined;
      this.#late = 'timeout';
      if (!this.#over) await this.#open();
    } catch (cause) {
      const isOpening = this.#late === 'timeout';
      // The platform refuses the URL itself (ws: in a page of https:), so another attempt would fail too.
      const code = isOpening ? 'socket_refused' : 'token_failed';
      this.#fail(isOpening && cause instanceof ClientError ? cause : localError(code, undefined, cause));
    }
  }

  async #open(): Promise<void> {
    const { open, codec, url } = this.#options;
    const opening = open(url, codec.subprotocol, this.#token);
    // Not awaited otherwise: a WebSocket may report before a turn has passed.
    const socket = opening instanceof Promise ? await opening : opening;
    if (this.#over) {
      socket.close();
      return;
    }
    let opened = false;
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      opened = true;
    };
    socket.onmessage = ({ data }) => {
      if (!this.#over) this.#received(data);
    };
    const closed = ({ code, reason }: ClosedBy): void => {
      if (this.#over) return;
      this.drop();
      this.#port.ended({ code, reason }, opened);
    };
    socket.onclose = closed;
    socket.onerror = () =>
      this.#over || this.#timer.set(closesWithinMs, () => closed({ code: 1006, reason: '' }));
  }

  #received(data: unknown): void {
    let frame: ServerFrame;
    try {
      frame = this.#socket?.sendFrame ? (data as ServerFrame) : this.#options.codec.decode(data);
    } catch (cause) {
      this.#port.port.report(localError('invalid_message', undefined, cause));
      return;
    }
    if (this.#accepted || !this.#handshake(frame)) this.#port.port.frame(frame, data);
  }

  /** Returns whether the frame belongs to the handshake. */
  #handshake(frame: ServerFrame): boolean {
    const { kind, id } = frame;
    if (kind === 'connected' && id === 0) {
      this.#port.port.greeted();
      this.#sayHello();
    } else if (id !== handshakeId) return false;
    else if (kind === 'connected') {
      this.#accepted = true;
      this.#timer.stop();
      this.#port.accepted(frame);
    } else if (kind === 'error') this.#fail(new ClientError(frame), true);
    return true;
  }

  #sayHello(): void {
    const { clientName: client, capabilities, codec } = this.#options;
    const frame = { kind: 'connect', id: handshakeId, token: this.#token, client, capabilities } as const;
    this.send(frame, codec.encode(frame));
  }

  #fail(error: ClientError, isRefused = false): void {
    if (this.#over) return;
    this.drop(error.code);
    this.#port.failed(error, isRefused);
  }
}

import { once } from 'node:events';
import WebSocket, { type ClientOptions } from 'ws';
import type { ClientFrame, CommandKind, Commands } from '../../src/protocol/client-frames.ts';
import type { Publication } from '../../src/protocol/frames.ts';
import { protobufCodec } from '../../src/protocol/protobuf/codec.ts';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { Expander } from './expander.ts';

type OfKind<K extends ServerFrame['kind']> = Extract<ServerFrame, { kind: K }>;

/**
 * A client that speaks `sluice.v1.protobuf` by the codec of `src/protocol`. Keeps all that it gets, in order, batches
 * expanded.
 */
export class ProtobufClient {
  readonly socket: WebSocket;
  readonly frames: ServerFrame[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  readonly #waiting = new Set<() => void>();
  readonly #expander = new Expander();
  #nextId = 1;

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(url, [protobufCodec.subprotocol], options);
    this.socket.on('message', (data: Buffer) => {
      const decoded = protobufCodec.decodeServerFrame(data);
      if (!decoded.ok) throw new Error(`the gateway sent a malformed frame: ${decoded.message}`);
      this.frames.push(this.#expander.take(decoded.frame));
      this.#wake();
    });
    this.socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      this.#wake();
    });
    this.socket.on('error', () => undefined);
  }

  /** Resolves once the gateway has greeted it. */
  static async open(url: string, options: ClientOptions = {}): Promise<ProtobufClient> {
    const client = new ProtobufClient(url, options);
    await client.kind('connected');
    return client;
  }

  /** Sends a command and resolves with its reply or error. */
  async call<K extends CommandKind>(kind: K, fields: Commands[K]): Promise<ServerFrame> {
    const id = this.#nextId++;
    this.socket.send(protobufCodec.encodeClientFrame({ kind, id, ...fields } as ClientFrame));
    return this.until((frame) => frame.id === id);
  }

  /** The first frame of a kind, of all that came or will come. */
  async kind<K extends ServerFrame['kind']>(kind: K): Promise<OfKind<K>> {
    return (await this.until((frame) => frame.kind === kind)) as OfKind<K>;
  }

  /** The first frame, of all that came or will come, that is such. Rejects when the connection ends before. */
  async until(isIt: (frame: ServerFrame) => boolean): Promise<ServerFrame> {
    for (let looked = 0; ; ) {
      for (; looked < this.frames.length; looked++) {
        const frame = this.frames[looked] as ServerFrame;
        if (isIt(frame)) return frame;
      }
      if (this.closed !== undefined) throw new Error(`closed with ${this.closed.code} ${this.closed.reason}`);
      await this.#change();
    }
  }

  /** Every publication of a view's batches that came so far, in order. */
  publications(view: number): Publication[] {
    return this.frames.flatMap((frame) =>
      frame.kind === 'batch' && frame.view === view ? frame.publications : [],
    );
  }

  /** Resolves when at least `count` publications of the view have come. */
  async count(view: number, count: number): Promise<Publication[]> {
    for (;;) {
      const found = this.publications(view);
      if (found.length >= count) return found;
      if (this.closed !== undefined) throw new Error(`closed with ${found.length} of ${count} publications`);
      await this.#change();
    }
  }

  async end(): Promise<{ readonly code: number; readonly reason: string }> {
    while (this.closed === undefined) await this.#change();
    return this.closed;
  }

  async close(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    const closed = once(this.socket, 'close');
    this.socket.close();
    await closed;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

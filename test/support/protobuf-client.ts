import type { ClientOptions } from 'ws';
import type { ClientFrame, CommandKind, Commands } from '../../src/protocol/client-frames.ts';
import type { Publication } from '../../src/protocol/frames.ts';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { protobufCodec } from './codecs.ts';
import { Expander } from './expander.ts';
import { SocketClient } from './socket-client.ts';

type OfKind<K extends ServerFrame['kind']> = Extract<ServerFrame, { kind: K }>;

/** A client that speaks `sluice.v1.protobuf` by the codec of `src/protocol`, and expands batches. */
export class ProtobufClient extends SocketClient<ServerFrame, Publication, number> {
  readonly #expander = new Expander();
  #nextId = 1;

  constructor(url: string, options: ClientOptions = {}) {
    super(url, [protobufCodec.subprotocol], options);
  }

  /** Resolves once the gateway has greeted it. */
  static async open(url: string, options: ClientOptions = {}): Promise<ProtobufClient> {
    const client = new ProtobufClient(url, options);
    await client.kind('connected');
    return client;
  }

  protected read(data: Buffer): ServerFrame {
    const decoded = protobufCodec.decodeServerFrame(data);
    if (!decoded.ok) throw new Error(`the gateway sent a malformed frame: ${decoded.message}`);
    return this.#expander.take(decoded.frame);
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

  /** Of a view's batches. */
  publications(view: number): Publication[] {
    return this.frames.flatMap((frame) =>
      frame.kind === 'batch' && frame.view === view ? frame.publications : [],
    );
  }
}

import type { ClientFrame } from '../../protocol/client-frames.ts';
import type { ServerFrame } from '../../protocol/server-frames.ts';

/** A codec as a client needs it: encodes the client's frames, decodes the gateway's. */
export interface ClientCodec<Message extends Uint8Array | string = Uint8Array | string> {
  /** The WebSocket subprotocol to offer. */
  readonly subprotocol: string;
  encode(frame: ClientFrame): Message;
  /** `message`: as the socket gave it. Throws if it is not a frame. Payloads may be views into it. */
  decode(message: unknown): ServerFrame;
}

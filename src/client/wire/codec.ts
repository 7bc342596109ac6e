import type { ClientFrame } from '../../protocol/client-frames.ts';
import type { ServerFrame } from '../../protocol/server-frames.ts';

/** One side of a codec: what a client writes and reads. */
export interface ClientCodec<Message extends Uint8Array | string = Uint8Array | string> {
  /** What the WebSocket offers. */
  readonly subprotocol: string;
  encode(frame: ClientFrame): Message;
  /** Of a message as the socket gave it. Throws where it is no frame. Payloads may be views into it. */
  decode(message: unknown): ServerFrame;
}

import type { ClientFrame, ServerFrame } from '../../protocol/frames.ts';

/** One side of a codec: what a client writes and reads. */
export interface ClientCodec {
  /** What the WebSocket offers. */
  readonly subprotocol: string;
  encode(frame: ClientFrame): Uint8Array;
  /** Throws where the message is no frame that this client knows. Payloads may be views into it. */
  decode(message: Uint8Array): ServerFrame;
}

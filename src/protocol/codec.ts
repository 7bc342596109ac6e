import type { ClientFrame } from './client-frames.ts';
import type { Decoded } from './fields.ts';
import type { BatchHeader, CompressedBody, HistoryHeader, Publication, SnapshotHeader } from './frames.ts';
import type { ServerFrame } from './server-frames.ts';

/**
 * The gateway's side of a wire: commands from bytes, frames to bytes. Decoding never throws and never keeps a reference
 * into the message that it was given unless it says so: payload bytes are views into it, so a caller whose buffer
 * dies (uWebSockets.js) copies the message, or the payloads that it keeps.
 *
 * A publication is encoded once per codec (`encodePublication`); batches, snapshots and history pages are a header and
 * those bytes, put together by the `frame…` functions without looking inside.
 *
 * What is encoded may be empty: then this wire has no word for it, and nothing is sent.
 */
export interface GatewayCodec {
  /** Codecs of one name encode publications and frames of views alike: their subscribers share views. */
  readonly name: string;
  /** What a WebSocket client offers to get it. */
  readonly subprotocol: string;
  /** Whether its messages are binary WebSocket messages (else text). */
  readonly binary: boolean;
  /** A batch or a page of a snapshot has at most this many publications; absent: any number. */
  readonly publicationsPerFrame?: number;
  /** Its clients drop what they have had, by its offset. Absent: they may not, so it must not come again. */
  readonly comparesOffsets?: true;
  /** Is told the bytes of what is sent in this codec over WebSockets. */
  readonly countSent?: ((bytes: number) => void) | undefined;

  decodeClientFrame(message: Uint8Array): Decoded<ClientFrame>;
  /** The id of a command that is refused without being decoded, where a bounded look finds it; else 0. Never throws. */
  peekId(message: Uint8Array): number;
  encodeServerFrame(frame: ServerFrame): Uint8Array;

  /** The bytes of one publication as they are in every batch, snapshot and history page of this codec. */
  encodePublication(topic: string, publication: Publication): Uint8Array;
  /**
   * `topic` is the batch's topic, also where the header has none (exact views). Where batches can be compressed, the
   * frame ends with the publications.
   */
  frameBatch(topic: string, header: BatchHeader, publications: readonly Uint8Array[]): Uint8Array;
  frameSnapshot(header: SnapshotHeader, publications: readonly Uint8Array[]): Uint8Array;
  frameHistory(id: number, header: HistoryHeader, publications: readonly Uint8Array[]): Uint8Array;
  /** A batch whose publications are deflated; absent in codecs that have no compression. */
  frameCompressedBatch?(header: BatchHeader, body: CompressedBody): Uint8Array;
}

/** A codec of the protocol itself. Pure; runs in browsers too. */
export interface Codec extends GatewayCodec {
  readonly name: 'protobuf' | 'json';
}

import { concatBytes } from '../protocol/bytes.ts';
import type { Codec } from '../protocol/codec.ts';
import { deflateBody } from '../protocol/compression.ts';
import type { BatchHeader } from '../protocol/frames.ts';
import type { StoredPublication } from '../topics/publication.ts';
import type { Feed } from './view.ts';

export interface EncoderMetrics {
  encoded(plainBytes: number, wireBytes: number): void;
  deflated(): void;
}

export interface EncoderOptions {
  /** A batch smaller than this stays as it is; 0: all do. */
  readonly compressMinBytes: number;
  readonly metrics: EncoderMetrics;
}

// When does deflate pay? It costs about 25 us a call and 15 ns a byte on this gateway's core (bench/compression.ts);
// a byte less on the wire saves each subscriber about 1 ns here, and more on its way.
const deflateCallNs = 25_000;
const deflateByteNs = 15;
const savedByteNs = 1;
/** JSON updates that look alike shrink to about this when nothing is known of a view yet. */
const firstGuessRatio = 0.6;

/** Turns publications into the bytes of a view's batches: framed once, compressed at most once. */
export class Encoder {
  readonly #options: EncoderOptions;
  // What compression left of earlier batches, a moving average per view.
  readonly #ratios = new WeakMap<object, number>();

  constructor(options: EncoderOptions) {
    this.#options = options;
  }

  batch(
    feed: Feed,
    after: number,
    upto: number,
    publications: readonly StoredPublication[],
    receivers: number,
  ): Uint8Array {
    const { codec } = feed.view.options;
    const header = batchHeader(feed, after, upto);
    const pieces = publications.map((publication) => publication.encoded(codec));
    const plain = codec.frameBatch(feed.topic.name, header, pieces);
    const compressed = this.#compressed(feed, codec, header, pieces, plain.length, receivers);
    const bytes = compressed !== undefined && compressed.length < plain.length ? compressed : plain;
    this.#options.metrics.encoded(plain.length, bytes.length);
    return bytes;
  }

  #compressed(
    feed: Feed,
    codec: Codec,
    header: BatchHeader,
    pieces: readonly Uint8Array[],
    plainBytes: number,
    receivers: number,
  ): Uint8Array | undefined {
    const { compressMinBytes } = this.#options;
    if (codec.frameCompressedBatch === undefined || compressMinBytes === 0 || plainBytes < compressMinBytes)
      return undefined;
    const ratio = this.#ratios.get(feed.view) ?? firstGuessRatio;
    const savedNs = plainBytes * (1 - ratio) * receivers * savedByteNs;
    if (savedNs < deflateCallNs + plainBytes * deflateByteNs) return undefined;
    const body = deflateBody(concatBytes(pieces));
    this.#options.metrics.deflated();
    const bytes = codec.frameCompressedBatch(header, body);
    this.#ratios.set(feed.view, 0.8 * ratio + 0.2 * Math.min(1, bytes.length / plainBytes));
    return bytes;
  }
}

/** Batches of a pattern's view name their topic and epoch; an exact view's subscriber knows them. */
export function batchHeader(feed: Feed, after: number, upto: number): BatchHeader {
  return feed.view.isPattern
    ? { view: feed.view.id, topic: feed.topic.name, epoch: feed.topic.epoch, after, upto }
    : { view: feed.view.id, after, upto };
}

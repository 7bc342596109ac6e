import type { BareCounter, Metrics } from '../metrics.ts';
import type { GatewayCodec } from '../protocol/codec.ts';
import type { SharedDictionary } from '../protocol/compression.ts';
import type { BatchHeader } from '../protocol/frames.ts';
import { plainMaxBytes } from '../protocol/inflate.ts';
import type { StoredPublication } from '../topics/publication.ts';
import { compressionCosts, savedNs } from './compression-cost.ts';
import { dictionaryPolicy } from './dictionary.ts';
import type { Feed, View } from './view.ts';
import { type CompressionOptions, ViewCompression } from './view-compression.ts';

/** `compressMinBytes` 0: nothing is ever compressed. */
export type EncoderOptions = Pick<CompressionOptions, 'compressMinBytes' | 'dictionaryMinBytes' | 'nowMs'> &
  Partial<Pick<CompressionOptions, 'costs' | 'dictionaries'>> & {
    readonly metrics: CompressionOptions['metrics'] & Pick<Metrics, 'framesTotal' | 'frameBytesTotal'>;
  };

/** Turns publications into the bytes of a view's batches: framed once, compressed at most once. */
export class Encoder {
  readonly #frames: BareCounter;
  readonly #plainBytes: BareCounter;
  readonly #wireBytes: BareCounter;
  readonly #compression: CompressionOptions;
  readonly #compressions = new WeakMap<View, ViewCompression>();

  constructor(options: EncoderOptions) {
    const { framesTotal, frameBytesTotal } = options.metrics;
    this.#frames = framesTotal;
    this.#plainBytes = frameBytesTotal.labels({ stage: 'plain' });
    this.#wireBytes = frameBytesTotal.labels({ stage: 'wire' });
    const { costs = compressionCosts, dictionaries = dictionaryPolicy } = options;
    this.#compression = { ...options, costs, dictionaries };
  }

  batch(
    feed: Feed,
    header: BatchHeader,
    publications: readonly StoredPublication[],
    receivers: number,
  ): Uint8Array {
    const { view, topic } = feed;
    const pieces = encodedAll(publications, view.options.codec);
    const plain = view.options.codec.frameBatch(topic.name, header, pieces);
    const compression = this.#compressionOf(view, plain.length, receivers);
    if (compression === undefined || publications.length === 0) return this.#counted(plain, plain);
    const batch = { header, publications, pieces, bytes: plain.length, receivers };
    const deflated = compression.compress(batch);
    const bytes = deflated !== undefined && deflated.length < plain.length ? deflated : plain;
    compression.learn(batch, bytes.length);
    return this.#counted(plain, bytes);
  }

  /** Returns a new dictionary that pays, once. The caller announces it before the view's next batch. */
  freshDictionary(view: View): SharedDictionary | undefined {
    return this.#compressions.get(view)?.takeFresh();
  }

  /** Nothing is kept of views that no compression could ever pay for. */
  #compressionOf(view: View, plainBytes: number, receivers: number): ViewCompression | undefined {
    const { compressMinBytes, costs } = this.#compression;
    const frame = view.options.codec.frameCompressedBatch;
    if (frame === undefined || compressMinBytes === 0 || plainBytes > plainMaxBytes) return undefined;
    if (savedNs(costs, plainBytes, 0, receivers, 0) <= 0) return undefined;
    let compression = this.#compressions.get(view);
    if (compression === undefined) {
      compression = new ViewCompression(view, frame, this.#compression);
      this.#compressions.set(view, compression);
    }
    return compression;
  }

  #counted(plain: Uint8Array, bytes: Uint8Array): Uint8Array {
    this.#frames.inc();
    this.#plainBytes.inc(plain.length);
    this.#wireBytes.inc(bytes.length);
    return bytes;
  }
}

/** A loop into an array of the right size, because `map` makes a closure (`bench -- unicast --allocations`). */
function encodedAll(publications: readonly StoredPublication[], codec: GatewayCodec): Uint8Array[] {
  const pieces = new Array<Uint8Array>(publications.length);
  for (let i = 0; i < publications.length; i++)
    pieces[i] = (publications[i] as StoredPublication).encoded(codec);
  return pieces;
}

/**
 * Batches of a pattern's view name their topic and epoch, and, to live members, how far they are in all topics; an
 * exact view's subscriber knows them.
 */
export function batchHeader(feed: Feed, after: number, upto: number, cursor?: string): BatchHeader {
  return feed.view.isPattern
    ? { view: feed.view.id, topic: feed.topic.name, epoch: feed.topic.epoch, after, upto, cursor }
    : { view: feed.view.id, after, upto };
}

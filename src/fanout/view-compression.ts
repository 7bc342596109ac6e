import type { Metrics } from '../metrics.ts';
import { concatBytes } from '../protocol/bytes.ts';
import type { Codec } from '../protocol/codec.ts';
import { deflateBody, type SharedDictionary } from '../protocol/compression.ts';
import type { BatchHeader } from '../protocol/frames.ts';
import type { StoredPublication } from '../topics/publication.ts';
import { type CompressionCosts, savedNs } from './compression-cost.ts';
import { type DictionaryPolicy, DictionarySource, DictionaryTrial } from './dictionary.ts';
import type { View } from './view.ts';

export interface CompressionOptions {
  /** A batch smaller than this is never deflated without a dictionary. */
  readonly compressMinBytes: number;
  /** 0: there are no dictionaries. */
  readonly dictionaryMinBytes: number;
  /** On a monotonic clock. */
  readonly nowMs: () => number;
  readonly metrics: Pick<Metrics, 'deflatesTotal' | 'dictionaryTrialsTotal'>;
  readonly costs: CompressionCosts;
  readonly dictionaries: DictionaryPolicy;
}

/** A batch that may be compressed. */
export interface PlainBatch {
  readonly header: BatchHeader;
  readonly publications: readonly StoredPublication[];
  readonly pieces: readonly Uint8Array[];
  /** The length of its frame. */
  readonly bytes: number;
  readonly receivers: number;
}

// Guesses for JSON updates that look alike, until the view has been measured.
const firstGuess = 0.6;
const firstGuessWithDictionary = 0.3;

/** Decides which batches of one view to deflate, and with which dictionary, by the results of earlier ones. */
export class ViewCompression {
  readonly #view: View;
  readonly #frame: NonNullable<Codec['frameCompressedBatch']>;
  readonly #options: CompressionOptions;
  readonly #source: DictionarySource;
  // Moving averages of compressed to plain size.
  #ratio = firstGuess;
  #ratioWithDictionary = firstGuessWithDictionary;
  #trial: DictionaryTrial | undefined;
  #fresh: SharedDictionary | undefined;

  constructor(view: View, frame: NonNullable<Codec['frameCompressedBatch']>, options: CompressionOptions) {
    this.#view = view;
    this.#frame = frame;
    this.#options = options;
    this.#source = new DictionarySource(options.dictionaries);
  }

  /** The frame with its body deflated, where that is expected to pay. It may turn out larger. */
  compress(batch: PlainBatch): Uint8Array | undefined {
    const { compressMinBytes, metrics } = this.#options;
    const { dictionary } = this.#view;
    const gain = batch.bytes < compressMinBytes ? 0 : this.#savedNs(batch, this.#ratio, 0);
    const gainWithDictionary =
      dictionary === undefined ? 0 : this.#gainOf(batch, this.#ratioWithDictionary, dictionary.data.length);
    if (Math.max(gain, gainWithDictionary) <= 0) return undefined;
    const { message, withDictionary } = this.#deflate(
      batch,
      gainWithDictionary > gain ? dictionary : undefined,
    );
    metrics.deflatesTotal.inc();
    const ratio = Math.min(1, message.length / batch.bytes);
    if (withDictionary) this.#ratioWithDictionary = 0.8 * this.#ratioWithDictionary + 0.2 * ratio;
    else this.#ratio = 0.8 * this.#ratio + 0.2 * ratio;
    return message;
  }

  /**
   * Learns from a batch that was sent in `sentBytes`, where a dictionary may pay. Now and then a dictionary is made of
   * earlier publications, and tried on the next batches.
   */
  learn(batch: PlainBatch, sentBytes: number): void {
    const { dictionaries, nowMs } = this.#options;
    const { codec, dictionaries: areKnown } = this.#view.options;
    if (!areKnown || this.#gainOf(batch, firstGuessWithDictionary, dictionaries.fillBytes) <= 0) return;
    if (this.#trial === undefined && this.#source.isDue(nowMs())) {
      const isFirst = this.#view.dictionary === undefined;
      this.#trial = new DictionaryTrial(this.#source.build(nowMs()), dictionaries, isFirst);
    }
    if (this.#trial !== undefined) this.#try(this.#trial, batch, sentBytes);
    this.#source.add(batch.publications, codec);
  }

  /** A dictionary that is better than the view's, once: the caller announces it. */
  takeFresh(): SharedDictionary | undefined {
    const fresh = this.#fresh;
    this.#fresh = undefined;
    return fresh;
  }

  #try(trial: DictionaryTrial, batch: PlainBatch, sentBytes: number): void {
    const { data } = trial;
    const current = this.#view.dictionary;
    const fresh = { dictionary: (current?.dictionary ?? 0) + 1, data };
    trial.add(batch.bytes, sentBytes, this.#deflate(batch, fresh).message.length);
    const { isWorthIt, ratio } = trial;
    if (isWorthIt === undefined) return;
    this.#trial = undefined;
    if (!isWorthIt || this.#gainOf(batch, ratio, data.length) <= 0) {
      this.#options.metrics.dictionaryTrialsTotal.inc({ outcome: 'rejected' });
      return;
    }
    this.#fresh = fresh;
    this.#ratioWithDictionary = ratio;
    const outcome = current === undefined ? 'first' : 'rotated';
    this.#options.metrics.dictionaryTrialsTotal.inc({ outcome });
  }

  #deflate({ header, pieces }: PlainBatch, dictionary: SharedDictionary | undefined) {
    const body = deflateBody(concatBytes(pieces), dictionary);
    return { message: this.#frame(header, body), withDictionary: body.dictionary !== 0 };
  }

  /** With a dictionary. */
  #gainOf(batch: PlainBatch, ratio: number, dictionaryBytes: number): number {
    const { dictionaryMinBytes } = this.#options;
    if (dictionaryMinBytes === 0 || batch.bytes < dictionaryMinBytes) return 0;
    return this.#savedNs(batch, ratio, dictionaryBytes);
  }

  #savedNs({ bytes, receivers }: PlainBatch, ratio: number, dictionaryBytes: number): number {
    return savedNs(this.#options.costs, bytes, ratio, receivers, dictionaryBytes);
  }
}

import { concatBytes } from '../protocol/bytes.ts';
import type { Codec } from '../protocol/codec.ts';
import type { SharedDictionary } from '../protocol/compression.ts';
import type { StoredPublication } from '../topics/publication.ts';

/** One that the members of a view were told of. */
export interface AnnouncedDictionary extends SharedDictionary {
  /** The frame that says so, for those who join later. */
  readonly announcement: Uint8Array;
}

export interface DictionaryPolicy {
  /** The newest publications go into a dictionary until it holds so much ... */
  readonly fillBytes: number;
  /** ... and the one that makes it full fits in. Deflate would reach back 32 KiB. */
  readonly maxBytes: number;
  /** Between two trials lie at least so many batches, and so much time. */
  readonly trialBatches: number;
  readonly trialMs: number;
  /** A fresh one is worth announcing when it saves its own length within so many batches. */
  readonly paybackBatches: number;
}

// Host metrics of five kinds, 203 bytes of JSON each, one at a time, all of the message on the wire: with 1 KiB of earlier
// publications 54 % is left, with 2 KiB 31, with 4 KiB 30, with 16 KiB 29; each KiB costs deflate about 8 us a call.
export const dictionaryPolicy: DictionaryPolicy = {
  fillBytes: 4096,
  maxBytes: 16_384,
  trialBatches: 256,
  trialMs: 60_000,
  paybackBatches: 512,
};

/** The newest publications of one view, and when it is time to try a dictionary made of them. */
export class DictionarySource {
  readonly #policy: DictionaryPolicy;
  readonly #pieces: Uint8Array[] = [];
  #bytes = 0;
  #batches = Number.POSITIVE_INFINITY;
  #triedAtMs = Number.NEGATIVE_INFINITY;

  constructor(policy: DictionaryPolicy) {
    this.#policy = policy;
  }

  /** A batch that the view has sent. What somebody was not to get does not come to them in a dictionary either. */
  add(publications: readonly StoredPublication[], codec: Codec): void {
    this.#batches++;
    for (const publication of publications) {
      if (publication.except === undefined) this.#take(publication.encoded(codec));
    }
  }

  isDue(nowMs: number): boolean {
    const { fillBytes, trialBatches, trialMs } = this.#policy;
    return this.#bytes >= fillBytes && this.#batches >= trialBatches && nowMs - this.#triedAtMs >= trialMs;
  }

  /** A fresh one to be tried. */
  build(nowMs: number): Uint8Array {
    this.#batches = 0;
    this.#triedAtMs = nowMs;
    return concatBytes(this.#pieces);
  }

  #take(piece: Uint8Array): void {
    const { fillBytes, maxBytes } = this.#policy;
    if (piece.length > maxBytes) return;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    for (let oldest = this.#pieces[0]; oldest !== undefined; oldest = this.#pieces[0]) {
      if (this.#bytes - oldest.length < fillBytes && this.#bytes <= maxBytes) return;
      this.#pieces.shift();
      this.#bytes -= oldest.length;
    }
  }
}

import { concatBytes } from '../protocol/bytes.ts';
import type { GatewayCodec } from '../protocol/codec.ts';
import type { SharedDictionary } from '../protocol/compression.ts';
import type { StoredPublication } from '../topics/publication.ts';

/** A dictionary that the members of a view were told of. */
export interface AnnouncedDictionary extends SharedDictionary {
  /** The frame that announces it, for members that join later. */
  readonly announcement: Uint8Array;
}

export interface DictionaryPolicy {
  /** A dictionary takes the newest publications until it has this many bytes. */
  readonly fillBytes: number;
  /** Its largest size: the publication that makes it full fits in. Deflate would reach back 32 KiB. */
  readonly maxBytes: number;
  /** At least this many batches, and this much time, pass between the starts of two trials. */
  readonly trialBatches: number;
  readonly trialMs: number;
  /** How many batches show whether a fresh one is better than the current one. */
  readonly trialRuns: number;
}

// Host metrics of five kinds, 203 bytes of JSON each, one at a time, all of the message on the wire: with 1 KiB of
// earlier publications 40 % is left, with 2 KiB 33, with 4 KiB 32, with 16 KiB 30; each KiB costs deflate about 8 us a
// call. Five minutes later it is 1 to 3 % more. What single batches say of that is mostly chance.
export const dictionaryPolicy: DictionaryPolicy = {
  fillBytes: 4096,
  maxBytes: 16_384,
  trialBatches: 512,
  trialMs: 60_000,
  trialRuns: 32,
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

  /**
   * Takes the publications of a batch that the view has sent. Leaves out those that except a session or expire: members
   * that join later get the dictionary, and could read them there.
   */
  add(publications: readonly StoredPublication[], codec: GatewayCodec): void {
    this.#batches++;
    for (const publication of publications) {
      if (publication.apart === undefined) this.#take(publication.encoded(codec));
    }
  }

  isDue(nowMs: number): boolean {
    const { fillBytes, trialBatches, trialMs } = this.#policy;
    return this.#bytes >= fillBytes && this.#batches >= trialBatches && nowMs - this.#triedAtMs >= trialMs;
  }

  /** Makes a dictionary to be tried. */
  build(nowMs: number): Uint8Array {
    this.#batches = 0;
    this.#triedAtMs = nowMs;
    return concatBytes(this.#pieces);
  }

  #take(piece: Uint8Array): void {
    const { fillBytes, maxBytes } = this.#policy;
    if (piece.length > maxBytes) return;
    // The piece is part of a slab, which it would keep alive.
    this.#pieces.push(piece.slice());
    this.#bytes += piece.length;
    for (let oldest = this.#pieces[0]; oldest !== undefined; oldest = this.#pieces[0]) {
      if (this.#bytes - oldest.length < fillBytes && this.#bytes <= maxBytes) return;
      this.#pieces.shift();
      this.#bytes -= oldest.length;
    }
  }
}

/** A dictionary that is tried on batches that are sent without it. */
export class DictionaryTrial {
  readonly data: Uint8Array;
  readonly #policy: DictionaryPolicy;
  readonly #isFirst: boolean;
  #runs = 0;
  #plainBytes = 0;
  #sentBytes = 0;
  #bytes = 0;

  constructor(data: Uint8Array, policy: DictionaryPolicy, isFirst: boolean) {
    this.data = data;
    this.#policy = policy;
    this.#isFirst = isFirst;
  }

  /** The compressed size of batches with it, as a part of their plain size. */
  get ratio(): number {
    return this.#bytes / this.#plainBytes;
  }

  /** A batch was sent in `sentBytes`; with this dictionary it would have had `bytes`. */
  add(plainBytes: number, sentBytes: number, bytes: number): void {
    this.#runs++;
    this.#plainBytes += plainBytes;
    this.#sentBytes += sentBytes;
    this.#bytes += bytes;
  }

  /** Whether it saves its own length until the next one may be tried; undefined: not known yet. */
  get isWorthIt(): boolean | undefined {
    const { trialBatches, trialRuns } = this.#policy;
    const isBetter = ((this.#sentBytes - this.#bytes) / this.#runs) * trialBatches >= this.data.length;
    return this.#runs >= trialRuns || (this.#isFirst && isBetter) ? isBetter : undefined;
  }
}

import type { GatewayCodec } from '../protocol/codec.ts';
import type { StoredPublication } from '../topics/publication.ts';

/** The values of a state topic as they were at `offset`, on their way to one subscriber. */
export class PendingSnapshot {
  readonly offset: number;
  /** The subscriber has the other values. */
  readonly isPartial: boolean;
  readonly #values: readonly StoredPublication[];
  #sent = 0;

  constructor(offset: number, values: readonly StoredPublication[], isPartial: boolean) {
    this.offset = offset;
    this.isPartial = isPartial;
    this.#values = values;
  }

  get hasBegun(): boolean {
    return this.#sent > 0;
  }

  get isSent(): boolean {
    return this.#sent === this.#values.length;
  }

  /**
   * Takes the encoded values of the next page, which ends with the value that makes it as large as `pageBytes`.
   * `isExcepted`: the subscriber does not get the value.
   */
  takePage(
    codec: GatewayCodec,
    pageBytes: number,
    isExcepted: (value: StoredPublication) => boolean,
  ): Uint8Array[] {
    const { publicationsPerFrame: most = this.#values.length } = codec;
    const pieces: Uint8Array[] = [];
    for (let bytes = 0; !this.isSent && bytes < pageBytes && pieces.length < most; this.#sent++) {
      const value = this.#values[this.#sent] as StoredPublication;
      if (isExcepted(value)) continue;
      const piece = value.encoded(codec);
      pieces.push(piece);
      bytes += piece.length;
    }
    return pieces;
  }
}

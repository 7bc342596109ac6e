import { concatBytes } from '../../protocol/bytes.ts';

const firstBytes = 256;
const blockMaxBytes = 64 * 1024;

/** Collects the pieces of a body in blocks that grow with it: a byte that comes alone takes no array of its own. */
export class BodyPieces {
  readonly #full: Uint8Array[] = [];
  #block = new Uint8Array(0);
  #used = 0;
  #bytes = 0;

  /** Copies the piece. */
  add(piece: Uint8Array): void {
    if (this.#used + piece.length > this.#block.length) this.#open(piece.length);
    this.#block.set(piece, this.#used);
    this.#used += piece.length;
    this.#bytes += piece.length;
  }

  /** All of them in one array of its own. */
  joined(): Uint8Array {
    return concatBytes([...this.#full, this.#block.subarray(0, this.#used)]);
  }

  #open(length: number): void {
    if (this.#used > 0) this.#full.push(this.#block.subarray(0, this.#used));
    this.#block = new Uint8Array(Math.max(length, firstBytes, Math.min(this.#bytes, blockMaxBytes)));
    this.#used = 0;
  }
}

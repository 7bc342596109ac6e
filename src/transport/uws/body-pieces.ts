import { concatBytes } from '../../protocol/bytes.ts';

const firstBytes = 256;
export const blockMaxBytes = 64 * 1024;

/**
 * The largest blocks, for one body after the other. V8 would collect them late: clients that send large bodies would
 * fill a multiple of what they may have under way (`bench -- siege --only contents`). Free blocks are held weakly, so
 * each mark-compact frees them.
 */
export class BodyBlocks {
  readonly #free: WeakRef<Uint8Array>[] = [];

  /** It still has the bytes of its last body. */
  take(): Uint8Array {
    const block = this.#free.pop()?.deref();
    // Collected, and those that were given back before it too.
    if (block === undefined) this.#free.length = 0;
    return block ?? new Uint8Array(blockMaxBytes);
  }

  /** Nothing of it may be in use. Smaller blocks are left to V8. */
  give(block: Uint8Array): void {
    if (block.length === blockMaxBytes) this.#free.push(new WeakRef(block));
  }
}

/** Collects the pieces of a body in blocks that grow with it: a byte that comes alone takes no array of its own. */
export class BodyPieces {
  readonly #blocks: BodyBlocks;
  #full: Uint8Array[] = [];
  #block: Uint8Array = new Uint8Array(0);
  #used = 0;
  #bytes = 0;

  constructor(blocks: BodyBlocks) {
    this.#blocks = blocks;
  }

  /** Copies the piece. */
  add(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; ) {
      if (this.#used === this.#block.length) this.#open(piece.length - at);
      const part = piece.subarray(at, at + this.#block.length - this.#used);
      this.#block.set(part, this.#used);
      this.#used += part.length;
      this.#bytes += part.length;
      at += part.length;
    }
  }

  /** All of them in one array of its own. */
  joined(): Uint8Array {
    return concatBytes([...this.#full, this.#block.subarray(0, this.#used)]);
  }

  /** Gives the blocks back. */
  drop(): void {
    for (const block of this.#full) this.#blocks.give(block);
    this.#blocks.give(this.#block);
    this.#full = [];
    this.#block = new Uint8Array(0);
    this.#used = 0;
  }

  #open(length: number): void {
    if (this.#used > 0) this.#full.push(this.#block);
    const size = Math.max(length, firstBytes, this.#bytes);
    this.#block = size < blockMaxBytes ? new Uint8Array(size) : this.#blocks.take();
    this.#used = 0;
  }
}

/** How many of the latest frames are searched for those that the buffer of an ended session may still hold. */
const framesKept = 4096;

/**
 * Facts about the frames that were published, without their bytes, which would be megabytes. They are numbers in arrays
 * that stay: objects would live just long enough to cost the garbage collector most.
 */
export class PastFrames {
  /** Frames that were published in all. */
  count = 0;
  readonly #views = new Float64Array(framesKept);
  readonly #wireBytes = new Uint32Array(framesKept);
  readonly #publications = new Uint32Array(framesKept);

  add(view: number, bytes: number, publications: number): void {
    const at = this.count++ % framesKept;
    this.#views[at] = view;
    this.#wireBytes[at] = bytes + wireHeaderBytes(bytes);
    this.#publications[at] = publications;
  }

  /**
   * The number of publications in the last `bytes` bytes of the first `heard` frames, of the views for which `hears`
   * returns true. A frame that is only partly there counts.
   */
  publicationsIn(bytes: number, heard: number, hears: (view: number) => boolean): number {
    let rest = bytes;
    let publications = 0;
    const oldest = Math.max(0, this.count - framesKept);
    for (let number = heard - 1; number >= oldest && rest > 0; number--) {
      const at = number % framesKept;
      if (!hears(this.#views[at] as number)) continue;
      rest -= this.#wireBytes[at] as number;
      publications += this.#publications[at] as number;
    }
    return publications;
  }
}

/** The length of a frame's header that a server sends: RFC 6455, section 5.2. */
function wireHeaderBytes(length: number): number {
  if (length < 126) return 2;
  return length < 65_536 ? 4 : 10;
}

/**
 * The feeds of a pattern's view that its members have not been sent all coverage of. Feeds with nothing for this view
 * are among them, too: a member's position stays until their coverage is sent.
 */
export class UnsentFeeds<F> {
  /** By the `seq` of the first commit that the members lack: the longest waiting first. */
  readonly #waiting = new Map<F, number>();
  /** Those of them whose topics began anew, and the earliest commit of these since there were any. */
  readonly #begunAnew = new Set<F>();
  #begunAnewSeq = Number.POSITIVE_INFINITY;

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  get feeds(): Iterable<F> {
    return this.#waiting.keys();
  }

  /** The members lack the feed from this commit on. */
  add(feed: F, seq: number): void {
    if (!this.#waiting.has(feed)) this.#waiting.set(feed, seq);
  }

  /**
   * The topic of the feed began anew after this commit, which may be older than those from which other feeds wait. A
   * feed that waits already keeps its place: the feeds are in the order of their commits.
   */
  addAnew(feed: F, seq: number): void {
    this.add(feed, seq);
    this.#begunAnew.add(feed);
    this.#begunAnewSeq = Math.min(this.#begunAnewSeq, seq);
  }

  /** The members have been sent all coverage of the feed. */
  delete(feed: F): void {
    this.#waiting.delete(feed);
    if (this.#begunAnew.delete(feed) && this.#begunAnew.size === 0)
      this.#begunAnewSeq = Number.POSITIVE_INFINITY;
  }

  /** The members have been sent everything up to this commit, where `newest` is the newest of all. */
  sentSeq(newest: number): number {
    for (const seq of this.#waiting.values()) return Math.min(seq, this.#begunAnewSeq) - 1;
    return newest;
  }
}

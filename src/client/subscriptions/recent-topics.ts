/** The topics of a pattern, in the order in which they were heard of last: those that are gone must not be remembered for good. */
export class RecentTopics {
  readonly #heardAtMs = new Map<string, number>();

  get size(): number {
    return this.#heardAtMs.size;
  }

  heard(topic: string, nowMs: number): void {
    this.#heardAtMs.delete(topic);
    this.#heardAtMs.set(topic, nowMs);
  }

  /**
   * Forgets and returns what is too many and was not heard of since `sinceMs`, the oldest first, a few at a time. Topics that
   * may not be forgotten are kept as if they were heard of now.
   */
  forget(max: number, sinceMs: number, nowMs: number, mayForget: (topic: string) => boolean): string[] {
    const forgotten: string[] = [];
    let looked = 0;
    for (const [topic, atMs] of this.#heardAtMs) {
      if (this.size <= max || atMs >= sinceMs || ++looked > topicsPerLook) break;
      this.#heardAtMs.delete(topic);
      if (mayForget(topic)) forgotten.push(topic);
      else this.#heardAtMs.set(topic, nowMs);
    }
    return forgotten;
  }
}

/** More than can be born between two looks, on average. */
const topicsPerLook = 16;

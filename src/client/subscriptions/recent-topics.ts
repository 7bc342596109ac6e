/** The topics of a pattern, those heard of longest ago first, so that topics that are gone can be forgotten. */
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
   * Where there are more than `max`, forgets topics that were not heard of since `sinceMs`, oldest first, a few at a
   * time, and returns them. Topics that may not be forgotten are kept as if they were heard of now.
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

/** More than the topics that are born between two calls, on average. */
const topicsPerLook = 16;

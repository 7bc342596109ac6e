import type { Acknowledgement, Batch, Forget } from './upstream.ts';

type UnsentNews = Pick<Batch, 'forgets' | 'acknowledged' | 'unacknowledged'>;

const nothing: UnsentNews = { forgets: [], acknowledged: [], unacknowledged: [] };

/** What a node tells its upstream without waiting for a reply: the newest value of each, until a batch takes it. */
export class Unsent {
  #forgets: Forget[] = [];
  #acknowledged = new Map<string, Acknowledgement>();
  #unacknowledged = new Map<string, Omit<Acknowledgement, 'position'>>();
  /** Sending failed; waits for `again`. */
  #failed: UnsentNews[] = [];

  get has(): boolean {
    return this.#forgets.length + this.#acknowledged.size + this.#unacknowledged.size > 0;
  }

  forget(forget: Forget): void {
    this.#forgets.push(forget);
  }

  acknowledge(acknowledged: Acknowledgement): void {
    const key = keyOf(acknowledged);
    this.#acknowledged.set(key, acknowledged);
    this.#unacknowledged.delete(key);
  }

  unacknowledge(topic: string, user: string): void {
    const key = keyOf({ topic, user });
    this.#acknowledged.delete(key);
    this.#unacknowledged.set(key, { topic, user });
  }

  take(): UnsentNews {
    // For each batch. Clearing an empty map would give it a new table.
    if (!this.has) return nothing;
    const report = {
      forgets: this.#forgets,
      acknowledged: [...this.#acknowledged.values()],
      unacknowledged: [...this.#unacknowledged.values()],
    };
    this.#forgets = [];
    this.#acknowledged.clear();
    this.#unacknowledged.clear();
    return report;
  }

  putBack(told: UnsentNews): void {
    this.#failed.push(told);
  }

  /** Makes what failed available again, except where there is a newer value. */
  again(): void {
    const failed = this.#failed;
    this.#failed = [];
    for (const { forgets, acknowledged, unacknowledged } of failed) {
      this.#forgets.unshift(...forgets);
      for (const each of acknowledged) this.#addOlder(this.#acknowledged, each);
      for (const each of unacknowledged) this.#addOlder(this.#unacknowledged, each);
    }
  }

  #addOlder<T extends Omit<Acknowledgement, 'position'>>(map: Map<string, T>, each: T): void {
    const key = keyOf(each);
    if (!this.#acknowledged.has(key) && !this.#unacknowledged.has(key)) map.set(key, each);
  }
}

/** Topics have no line breaks. */
function keyOf({ topic, user }: Omit<Acknowledgement, 'position'>): string {
  return `${topic}\n${user}`;
}

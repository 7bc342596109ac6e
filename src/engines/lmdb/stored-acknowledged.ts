import { Acknowledged, type AcknowledgedLimits } from '../../topics/acknowledged.ts';
import { acknowledgedKey, kindRange, ofAcknowledgedKey } from './keys.ts';
import { decodeAcknowledged, RecordWriter } from './records.ts';
import type { Store } from './store.ts';

const nothing = (): void => undefined;

interface Name {
  readonly topic: string;
  readonly user: string;
}

/** Acknowledged positions, and which of them are not written yet. Kept while a failed store is reopened. */
export class StoredAcknowledged {
  readonly positions: Acknowledged;
  /** By their keys, as text. */
  readonly #unwritten = new Map<string, Name>();
  readonly #writer = new RecordWriter();

  constructor(limits?: AcknowledgedLimits) {
    const note = (topic: string, user: string) => this.#note(topic, user);
    this.positions = new Acknowledged(limits, { noted: note, dropped: note });
  }

  /** Reads the stored positions. Over the limits some are dropped. */
  read(store: Store): void {
    for (const { key, value } of store.entries(kindRange('acknowledged'))) {
      const { topic, user } = ofAcknowledgedKey(key);
      this.positions.learn(topic, user, decodeAcknowledged(value));
    }
  }

  get hasUnwritten(): boolean {
    return this.#unwritten.size > 0;
  }

  /**
   * Writes the changes, within a transaction. Returns a function to call once it is committed; until then they remain
   * unwritten.
   */
  write(store: Store): () => void {
    if (!this.hasUnwritten) return nothing;
    const written = [...this.#unwritten].map(([name, { topic, user }]) => {
      const position = this.positions.get(topic, user);
      const key = acknowledgedKey(topic, user);
      if (position === undefined) store.remove(key);
      else store.put(key, this.#writer.acknowledged(position));
      return { name, topic, user, position };
    });
    return () => {
      for (const { name, topic, user, position } of written)
        if (this.positions.get(topic, user) === position) this.#unwritten.delete(name);
    };
  }

  #note(topic: string, user: string): void {
    this.#unwritten.set(`${user}\0${topic}`, { topic, user });
  }
}

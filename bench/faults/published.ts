import { type JournalRecord, kinds, readJournal } from './journal.ts';
import { topics } from './plan.ts';

/** The acknowledged publications of one epoch of one topic. */
export interface Numbering {
  /** By offset; undefined where no publish was acknowledged with this offset. */
  readonly acknowledged: (JournalRecord | undefined)[];
}

/** Everything that was published, by topic and epoch. */
export class Published {
  readonly byTopic: Map<string, Numbering>[] = topics.map(() => new Map());
  /** All payloads that were sent: serial number -> hash. */
  readonly sent = new Map<number, number>();
  acknowledged = 0;
  /** Publications with two offsets, and offsets with two publications. */
  doubled = 0;

  constructor(path: string) {
    const placed = new Map<number, JournalRecord>();
    for (const record of readJournal(path)) {
      this.sent.set(record.serial, record.hash);
      if (record.kind !== kinds.acknowledged) continue;
      this.acknowledged++;
      const { acknowledged } = this.#numbering(record.who, record.epoch);
      if (acknowledged[record.offset] !== undefined || placed.has(record.serial)) this.doubled++;
      acknowledged[record.offset] = record;
      placed.set(record.serial, record);
    }
  }

  at(topic: number, epoch: string, offset: number): JournalRecord | undefined {
    return this.byTopic[topic]!.get(epoch)?.acknowledged[offset];
  }

  #numbering(topic: number, epoch: string): Numbering {
    const known = this.byTopic[topic]!.get(epoch);
    if (known !== undefined) return known;
    const made: Numbering = { acknowledged: [] };
    this.byTopic[topic]!.set(epoch, made);
    return made;
  }
}

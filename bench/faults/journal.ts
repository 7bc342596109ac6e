import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';

/** The kinds of records, by number. */
export const kinds = {
  /** The publisher: acknowledged at this offset. */
  acknowledged: 1,
  /** The publisher: sent, without a response. */
  unanswered: 2,
  /** A client begins after this offset. */
  start: 3,
  /** A client handed it to its application, live or after it had been away or lagging. */
  live: 4,
  recovered: 5,
  /** A client got a value of a snapshot; after all values the offset of the snapshot. */
  entry: 6,
  snapshot: 7,
  /** A client was told that the offsets (offset, hash] are lost. */
  lost: 8,
  /** A client was told that the topic's numbering began anew, after this offset. */
  reset: 9,
  /** The same of a client that remembers no earlier numbering: it may get again what it had there. */
  restart: 10,
} as const;
export type Kind = (typeof kinds)[keyof typeof kinds];

export interface JournalRecord {
  readonly kind: Kind;
  /** A client, by number; for the publisher a topic. */
  readonly who: number;
  readonly epoch: string;
  readonly offset: number;
  /** CRC-32 of the payload. */
  readonly hash: number;
  /** The number of the publication, at the beginning of its payload. */
  readonly serial: number;
}

const recordBytes = 20;
const bufferedRecords = 50_000;

/** A file of records of a fixed size, written in large pieces, because there are hundreds of thousands a second. */
export class Journal {
  readonly #path: string;
  readonly #file: number;
  readonly #buffer = Buffer.alloc(recordBytes * bufferedRecords);
  readonly #epochs = new Map<string, number>();
  #used = 0;

  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(path, 'w');
  }

  add(kind: Kind, who: number, epoch: string, offset: number, hash = 0, serial = 0): void {
    let epochNumber = this.#epochs.get(epoch);
    if (epochNumber === undefined) {
      epochNumber = this.#epochs.size;
      this.#epochs.set(epoch, epochNumber);
    }
    const at = this.#used;
    this.#buffer.writeUInt32LE(who, at);
    this.#buffer.writeUInt16LE(kind, at + 4);
    this.#buffer.writeUInt16LE(epochNumber, at + 6);
    this.#buffer.writeUInt32LE(offset, at + 8);
    this.#buffer.writeUInt32LE(hash, at + 12);
    this.#buffer.writeUInt32LE(serial, at + 16);
    this.#used += recordBytes;
    if (this.#used === this.#buffer.length) this.#flush();
  }

  close(): void {
    this.#flush();
    closeSync(this.#file);
    writeFileSync(epochsPath(this.#path), JSON.stringify([...this.#epochs.keys()]));
  }

  #flush(): void {
    writeSync(this.#file, this.#buffer, 0, this.#used);
    this.#used = 0;
  }
}

/** All records of a closed journal, in the order in which they were written. */
export function* readJournal(path: string): Generator<JournalRecord> {
  const epochs = JSON.parse(readFileSync(epochsPath(path), 'utf8')) as string[];
  const bytes = readFileSync(path);
  for (let at = 0; at < bytes.length; at += recordBytes) {
    yield {
      who: bytes.readUInt32LE(at),
      kind: bytes.readUInt16LE(at + 4) as Kind,
      epoch: epochs[bytes.readUInt16LE(at + 6)]!,
      offset: bytes.readUInt32LE(at + 8),
      hash: bytes.readUInt32LE(at + 12),
      serial: bytes.readUInt32LE(at + 16),
    };
  }
}

function epochsPath(path: string): string {
  return `${path}.epochs`;
}

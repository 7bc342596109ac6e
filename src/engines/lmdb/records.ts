import type { Mode, PublishFields, Tags } from '../../protocol/frames.ts';
import { StoredPublication } from '../../topics/publication.ts';
import { DataDirError } from './data-dir.ts';

/**
 * The values of the store. Each begins with the version of its format, 2. Numbers are little-endian, texts are UTF-8
 * behind their length in two bytes.
 */
const recordVersion = 2;

/** What is stored of a topic apart from its publications. */
export interface HeadRecord {
  readonly number: number;
  readonly epoch: string;
  readonly mode: Mode;
  readonly offset: number;
  /** The `seq` of the newest publication. */
  readonly seq: number;
  /** Everything after this offset is kept. */
  readonly reach: number;
  /** The highest `seq` that is no longer kept. */
  readonly evictedSeq: number;
  /** The engine's `forgottenSeq` when the numbering began. */
  readonly bornAfterSeq: number;
  /** Its content is gone, only the numbering is kept. */
  readonly isIdle: boolean;
  /** What the kept publications cost, as a ring counts. */
  readonly bytes: number;
  /** When something was last appended. */
  readonly touchedMs: number;
}

/** What is stored of the engine itself. */
export interface EngineRecord {
  /** The identity of the numbering of commits. */
  readonly epoch: string;
  /** The highest `seq` of a numbering that was dropped. */
  readonly forgottenSeq: number;
}

export interface MessageIdRecord {
  readonly messageId: string;
  readonly digest: string;
  readonly atMs: number;
}

type HeadNumbers = Omit<HeadRecord, 'epoch' | 'mode' | 'isIdle'>;

/** In the order in which they are stored. */
const headNumbers = [
  'number',
  'offset',
  'seq',
  'reach',
  'evictedSeq',
  'bornAfterSeq',
  'bytes',
  'touchedMs',
] as const satisfies readonly (keyof HeadNumbers)[];

const has = { removed: 1, binary: 2, key: 4, except: 8, tags: 16, expiry: 32, timestamp: 64 } as const;

/** Where `publicationFacts` reads, without decoding the rest. */
const publishedAt = 2;
const costAt = 10;
const offsetAt = 18;
const seqAt = 26;

/** Writes records into one buffer: each is valid until the next one is begun. */
export class RecordWriter {
  #bytes = Buffer.allocUnsafeSlow(64 * 1024);
  #at = 0;

  head({ epoch, mode, isIdle, ...head }: HeadRecord): Buffer {
    this.#begin();
    this.#byte((mode === 'state' ? 1 : 0) | (isIdle ? 2 : 0));
    for (const name of headNumbers) this.#number(head[name]);
    this.#text(epoch);
    return this.#end();
  }

  engine({ epoch, forgottenSeq }: EngineRecord): Buffer {
    this.#begin();
    this.#number(forgottenSeq);
    this.#text(epoch);
    return this.#end();
  }

  messageId({ messageId, digest, atMs }: MessageIdRecord): Buffer {
    this.#begin();
    this.#number(atMs);
    this.#text(digest);
    this.#text(messageId);
    return this.#end();
  }

  publication(publication: StoredPublication): Buffer {
    const { type, payload, key, tags, removed, except, expiresAtMs, publishedMs, timestampMs } = publication;
    this.#begin();
    this.#byte(
      (removed === true ? has.removed : 0) |
        (payload.format === 'binary' ? has.binary : 0) |
        (key === undefined ? 0 : has.key) |
        (except === undefined ? 0 : has.except) |
        (tags === undefined ? 0 : has.tags) |
        (expiresAtMs === Number.POSITIVE_INFINITY ? 0 : has.expiry) |
        (timestampMs === publishedMs ? 0 : has.timestamp),
    );
    this.#number(publishedMs);
    this.#number(publication.bytes);
    this.#number(publication.offset);
    this.#number(publication.seq);
    if (expiresAtMs !== Number.POSITIVE_INFINITY) this.#number(expiresAtMs);
    if (timestampMs !== publishedMs) this.#number(timestampMs);
    this.#text(type);
    if (key !== undefined) this.#text(key);
    if (except !== undefined) this.#text(except);
    if (tags !== undefined) this.#tags(tags);
    this.#room(payload.bytes.length);
    this.#bytes.set(payload.bytes, this.#at);
    this.#at += payload.bytes.length;
    return this.#end();
  }

  #tags(tags: Tags): void {
    const entries = Object.entries(tags);
    this.#byte(entries.length);
    for (const [name, value] of entries) {
      this.#text(name);
      this.#text(value);
    }
  }

  #begin(): void {
    this.#at = 0;
    this.#byte(recordVersion);
  }

  #end(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  #byte(value: number): void {
    this.#room(1);
    this.#at = this.#bytes.writeUInt8(value, this.#at);
  }

  #number(value: number): void {
    this.#room(8);
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
  }

  #text(value: string): void {
    this.#room(2 + 3 * value.length);
    const length = this.#bytes.write(value, this.#at + 2);
    this.#bytes.writeUInt16LE(length, this.#at);
    this.#at += 2 + length;
  }

  #room(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.#at + more));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

class RecordReader {
  readonly #bytes: Buffer;
  #at = 1;

  constructor(record: Uint8Array) {
    this.#bytes = checked(record);
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#at++);
  }

  number(): number {
    this.#at += 8;
    return this.#bytes.readDoubleLE(this.#at - 8);
  }

  text(): string {
    const from = this.#at + 2;
    this.#at = from + this.#bytes.readUInt16LE(this.#at);
    return this.#bytes.toString('utf8', from, this.#at);
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at);
  }
}

export function decodeHead(record: Uint8Array): HeadRecord {
  const reader = new RecordReader(record);
  const flags = reader.byte();
  const numbers = Object.fromEntries(headNumbers.map((name) => [name, reader.number()])) as HeadNumbers;
  const mode = (flags & 1) === 1 ? 'state' : 'stream';
  return { ...numbers, mode, isIdle: (flags & 2) !== 0, epoch: reader.text() };
}

export function decodeEngine(record: Uint8Array): EngineRecord {
  const reader = new RecordReader(record);
  const forgottenSeq = reader.number();
  return { forgottenSeq, epoch: reader.text() };
}

export function decodeMessageId(record: Uint8Array): MessageIdRecord {
  const reader = new RecordReader(record);
  const atMs = reader.number();
  const digest = reader.text();
  return { atMs, digest, messageId: reader.text() };
}

/** The payload is a part of `record`: nobody else may write into that. */
export function decodePublication(topic: string, record: Uint8Array): StoredPublication {
  const reader = new RecordReader(record);
  const flags = reader.byte();
  const publishedMs = reader.number();
  reader.number();
  const offset = reader.number();
  const seq = reader.number();
  const expiresAtMs = (flags & has.expiry) === 0 ? undefined : reader.number();
  const timestampMs = (flags & has.timestamp) === 0 ? undefined : reader.number();
  const fields: PublishFields = {
    topic,
    type: reader.text(),
    key: (flags & has.key) === 0 ? undefined : reader.text(),
    except: (flags & has.except) === 0 ? undefined : reader.text(),
    tags: (flags & has.tags) === 0 ? undefined : readTags(reader),
    removed: (flags & has.removed) === 0 ? undefined : true,
    ttlMs: expiresAtMs === undefined ? undefined : expiresAtMs - publishedMs,
    timestampMs,
    payload: { format: (flags & has.binary) === 0 ? 'json' : 'binary', bytes: reader.rest() },
  };
  return new StoredPublication(fields, offset, seq, publishedMs, 0);
}

/** What retention wants to know of a publication. */
interface PublicationFacts {
  readonly publishedMs: number;
  readonly bytes: number;
  readonly offset: number;
  readonly seq: number;
}

export function publicationFacts(record: Uint8Array): PublicationFacts {
  const bytes = checked(record);
  return {
    publishedMs: bytes.readDoubleLE(publishedAt),
    bytes: bytes.readDoubleLE(costAt),
    offset: bytes.readDoubleLE(offsetAt),
    seq: bytes.readDoubleLE(seqAt),
  };
}

function readTags(reader: RecordReader): Tags {
  const tags: Record<string, string> = {};
  for (let left = reader.byte(); left > 0; left--) {
    const name = reader.text();
    Object.defineProperty(tags, name, { value: reader.text(), enumerable: true });
  }
  return tags;
}

function checked(record: Uint8Array): Buffer {
  if (record[0] !== recordVersion) throw new DataDirError('ERR_DATA_DIR_FORMAT', newerRecord(record[0]));
  return Buffer.from(record.buffer, record.byteOffset, record.length);
}

function newerRecord(version: number | undefined): string {
  return `a record of the data has the format version ${version}; this version of Sluice reads ${recordVersion}`;
}

import { crc32 } from '../../protocol/crc32.ts';
import type { Mode, Position } from '../../protocol/frames.ts';
import { protobufCodec } from '../../protocol/protobuf/codec.ts';
import { type BesideFields, besideRows } from '../../protocol/publication.ts';
import type { Payer } from '../../topics/payer.ts';
import { StoredPublication } from '../../topics/publication.ts';
import { flagsOf, knownFlags, readBeside, type ValueReader } from '../beside.ts';
import { DataDirError } from './data-dir-error.ts';

/**
 * The values of the store. Each begins with the version of its format and the CRC-32 of the rest. A publication is its
 * protobuf bytes, after the facts that these do not contain or that retention reads without decoding them. Numbers are
 * little-endian; a text is its length in two bytes, then UTF-8.
 */
const recordVersion = 2;

/** The record of a topic, without its publications. */
export interface HeadRecord {
  readonly number: number;
  readonly epoch: string;
  readonly mode: Mode;
  readonly offset: number;
  /** The `seq` of the newest publication. */
  readonly seq: number;
  /** All publications after this offset are kept. */
  readonly reach: number;
  /** The highest `seq` that is no longer kept. */
  readonly evictedSeq: number;
  /** The engine's `forgottenSeq` when the numbering began. */
  readonly bornAfterSeq: number;
  /** Its content is gone; only the numbering is kept. */
  readonly isIdle: boolean;
  /** Bytes of the kept publications, counted as in a ring. */
  readonly bytes: number;
  /** Time of the last append. */
  readonly touchedAtMs: number;
}

/** The record of the engine. */
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
  /** The payer, who is charged after a restart, too. */
  readonly payer: Pick<Payer, 'account' | 'isVerified'>;
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
  'touchedAtMs',
] as const satisfies readonly (keyof HeadNumbers)[];

/** Version and checksum. */
const headerBytes = 5;

/** Where `publicationFacts` reads, without decoding the rest. */
const publishedAt = headerBytes + 1;
const costAt = publishedAt + 8;
const offsetAt = costAt + 8;
const seqAt = offsetAt + 8;

/** Writes records into one buffer. Each is valid until the next one is begun. */
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

  acknowledged({ epoch, offset }: Position): Buffer {
    this.#begin();
    this.#number(offset);
    this.#text(epoch);
    return this.#end();
  }

  messageId({ messageId, digest, atMs, payer }: MessageIdRecord): Buffer {
    this.#begin();
    this.#byte(payer.isVerified ? 1 : 0);
    this.#number(atMs);
    this.#text(digest);
    this.#text(messageId);
    this.#text(payer.account);
    return this.#end();
  }

  /** Its protobuf bytes, after the other facts. */
  publication(publication: StoredPublication): Buffer {
    const { publishedAtMs, bytes, offset, seq, apart } = publication;
    const encoded = publication.encoded(protobufCodec);
    this.#begin();
    this.#byte(apart === undefined ? 0 : flagsOf(apart));
    this.#number(publishedAtMs);
    this.#number(bytes);
    this.#number(offset);
    this.#number(seq);
    if (apart !== undefined) this.#apart(apart);
    this.#room(encoded.length);
    this.#bytes.set(encoded, this.#at);
    this.#at += encoded.length;
    return this.#end();
  }

  #apart(apart: BesideFields): void {
    for (const { name } of besideRows) {
      const value = apart[name];
      if (typeof value === 'string') this.#text(value);
      else if (value !== undefined) this.#number(value);
    }
  }

  #begin(): void {
    this.#at = headerBytes;
    this.#bytes[0] = recordVersion;
  }

  #end(): Buffer {
    const record = this.#bytes.subarray(0, this.#at);
    record.writeUInt32LE(crc32(record.subarray(headerBytes)), 1);
    return record;
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

class RecordReader implements ValueReader {
  readonly #bytes: Buffer;
  #at: number;

  /** Checks the record, and reads from `at`. */
  constructor(record: Uint8Array, at = headerBytes) {
    this.#bytes = checked(record);
    this.#at = at;
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

export function decodeAcknowledged(record: Uint8Array): Position {
  const reader = new RecordReader(record);
  const offset = reader.number();
  return { offset, epoch: reader.text() };
}

export function decodeMessageId(record: Uint8Array): MessageIdRecord {
  const reader = new RecordReader(record);
  const isVerified = reader.byte() === 1;
  const atMs = reader.number();
  const digest = reader.text();
  const messageId = reader.text();
  return { atMs, digest, messageId, payer: { account: reader.text(), isVerified } };
}

/** Its bytes are a view into `record`, which must not change. */
export function decodePublication(topic: string, record: Uint8Array): StoredPublication {
  const { publishedAtMs, offset, seq } = publicationFacts(record);
  const reader = new RecordReader(record, seqAt + 8);
  const flags = record[headerBytes] as number;
  if ((flags & ~knownFlags) !== 0) throw new DataDirError('ERR_DATA_DIR_FORMAT', unknownMember);
  const apart = readBeside(flags, reader);
  const publication = StoredPublication.decoded(topic, reader.rest(), seq, publishedAtMs, apart);
  if (publication.offset !== offset) throw damaged('says two offsets');
  return publication;
}

const unknownMember = 'a record of the data has a member that this version of Sluice does not know';

/** The facts of a publication that retention needs. */
export interface PublicationFacts {
  readonly publishedAtMs: number;
  readonly bytes: number;
  readonly offset: number;
  readonly seq: number;
}

export function publicationFacts(record: Uint8Array): PublicationFacts {
  const bytes = checked(record);
  return {
    publishedAtMs: bytes.readDoubleLE(publishedAt),
    bytes: bytes.readDoubleLE(costAt),
    offset: bytes.readDoubleLE(offsetAt),
    seq: bytes.readDoubleLE(seqAt),
  };
}

function checked(record: Uint8Array): Buffer {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.length);
  if (bytes.length < headerBytes) throw damaged('is too short');
  if (bytes[0] !== recordVersion) throw new DataDirError('ERR_DATA_DIR_FORMAT', newerRecord(bytes[0]));
  if (bytes.readUInt32LE(1) !== crc32(bytes.subarray(headerBytes))) throw damaged('fails its checksum');
  return bytes;
}

function damaged(how: string): DataDirError {
  return new DataDirError('ERR_DATA_DIR_DAMAGED', `a record ${how}`);
}

function newerRecord(version: number | undefined): string {
  return `a record of the data has the format version ${version}; this version of Sluice reads ${recordVersion}`;
}

import { protobufCodec } from '../../protocol/protobuf/codec.ts';
import { skipVarint } from '../../protocol/protobuf/varint.ts';
import { besideRows } from '../../protocol/publication.ts';
import type { AppendRequest } from '../../topics/engine.ts';
import { StoredPublication } from '../../topics/publication.ts';
import { knownFlags, readBeside, type ValueReader } from '../beside.ts';
import { besideFlagsOf } from './formats.ts';

/**
 * A publication in Redis: first the facts that its encoding does not hold, then its protobuf bytes as they are in rings
 * and frames. The publishing node makes both, except for the offset, which the script puts in front of the body.
 * Numbers are little-endian; a text is its length in four bytes, then UTF-8.
 */
const recordVersion = 1;

export interface EncodedPublication {
  readonly facts: Buffer;
  /** The fields of the protobuf message after `offset`. */
  readonly body: Buffer;
  /** The bytes that it is charged in a ring. */
  readonly cost: number;
}

/** `format`: of the data. Members that the format does not have are left out. */
export function encodeRecord(
  { fields, publishedAtMs, timestampMs, acceptedAtMs }: AppendRequest,
  format: number,
): EncodedPublication {
  const publication = new StoredPublication(fields, 0, 0, publishedAtMs, acceptedAtMs, timestampMs);
  const encoded = publication.encoded(protobufCodec);
  // Tag and length; an offset of 0 is not written.
  const start = skipVarint(encoded, 1);
  const body = Buffer.from(encoded.buffer, encoded.byteOffset + start, encoded.length - start);
  return { facts: factsOf(publication, besideFlagsOf(format)), body, cost: publication.bytes };
}

function factsOf({ publishedAtMs, apart }: StoredPublication, allowed: number): Buffer {
  const head = Buffer.alloc(10);
  head[0] = recordVersion;
  head.writeDoubleLE(publishedAtMs, 2);
  if (apart === undefined) return head;
  const parts: Buffer[] = [head];
  for (const { name, storedBit } of besideRows) {
    const value = apart[name];
    if (value === undefined || (allowed & (1 << storedBit)) === 0) continue;
    head[1] = (head[1] as number) | (1 << storedBit);
    parts.push(typeof value === 'string' ? textOf(value) : numberOf(value));
  }
  return Buffer.concat(parts);
}

function textOf(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const bytes = Buffer.alloc(4 + length);
  bytes.writeUInt32LE(length, 0);
  bytes.write(text, 4);
  return bytes;
}

function numberOf(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value, 0);
  return bytes;
}

/** Reads the facts of a record. */
class FactsReader implements ValueReader {
  readonly #record: Buffer;
  at: number;

  constructor(record: Buffer, at: number) {
    this.#record = record;
    this.at = at;
  }

  text(): string {
    const from = this.at + 4;
    this.at = from + this.#record.readUInt32LE(this.at);
    return this.#record.toString('utf8', from, this.at);
  }

  number(): number {
    this.at += 8;
    return this.#record.readDoubleLE(this.at - 8);
  }
}

/** Its bytes are a view into `record`, which must not change. `acceptedAtMs`: see `StoredPublication`. */
export function decodeRecord(
  topic: string,
  record: Buffer,
  seq: number,
  acceptedAtMs = 0,
): StoredPublication {
  if (record[0] !== recordVersion) throw newerRecord(record[0]);
  const flags = record[1] as number;
  if ((flags & ~knownFlags) !== 0) throw newerRecord(record[0]);
  const publishedAtMs = record.readDoubleLE(2);
  const reader = new FactsReader(record, 10);
  const apart = readBeside(flags, reader);
  const encoded = new Uint8Array(record.buffer, record.byteOffset + reader.at, record.length - reader.at);
  return StoredPublication.decoded(topic, encoded, seq, publishedAtMs, apart, acceptedAtMs);
}

function newerRecord(version: number | undefined): Error {
  return new Error(`a record in Redis has the format ${version}, or members that this version does not know`);
}

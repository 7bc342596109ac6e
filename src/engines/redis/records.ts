import { protobufCodec } from '../../protocol/protobuf/codec.ts';
import { skipVarint } from '../../protocol/protobuf/varint.ts';
import type { BesideFields } from '../../protocol/publication.ts';
import { type BesideKind, besideRows, draftBeside, type Kinds } from '../../protocol/publication.ts';
import type { AppendRequest } from '../../topics/engine.ts';
import { StoredPublication } from '../../topics/publication.ts';
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

/** The flags of all rows. A test checks that the newest format has them all. */
export const knownFlags = besideRows.reduce((flags, { storedBit }) => flags | (1 << storedBit), 0);

interface Place {
  at: number;
}

const readers: { readonly [K in BesideKind]: (record: Buffer, place: Place) => Kinds[K] } = {
  text: (record, place) => {
    const from = place.at + 4;
    place.at = from + record.readUInt32LE(place.at);
    return record.toString('utf8', from, place.at);
  },
  duration: (record, place) => {
    place.at += 8;
    return record.readDoubleLE(place.at - 8);
  },
};

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
  const place = { at: 10 };
  let apart: { -readonly [N in keyof BesideFields]: BesideFields[N] } | undefined;
  for (const { name, kind, storedBit } of flags === 0 ? [] : besideRows) {
    if ((flags & (1 << storedBit)) === 0) continue;
    apart ??= draftBeside();
    apart[name] = readers[kind](record, place) as never;
  }
  const encoded = new Uint8Array(record.buffer, record.byteOffset + place.at, record.length - place.at);
  return StoredPublication.decoded(topic, encoded, seq, publishedAtMs, apart, acceptedAtMs);
}

function newerRecord(version: number | undefined): Error {
  return new Error(`a record in Redis has the format ${version}, or members that this version does not know`);
}

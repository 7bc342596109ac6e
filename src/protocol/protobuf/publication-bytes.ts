import { nullPayload } from '../payload.ts';
import {
  draftPublication,
  hasSeenFields,
  type Kinds,
  type Payload,
  type Publication,
  seenRows,
  type Tags,
} from '../publication.ts';
import { toWellFormed } from '../utf8.ts';
import { Reader, utf8 } from './schema.ts';
import { readVarint, skipVarint, varintLength, writeVarint } from './varint.ts';

/**
 * A publication as it is in a field `publications` of Batch, Snapshot and HistoryPage alike: tag, length and
 * Publication of `proto/gateway.proto`. By hand, as each publication is written so, heard or not, and the generated
 * code takes three times as long (`bench -- unicast`).
 */

/** The numbers of the fields that every Publication has, and of the one that holds it. */
const fields = { offset: 1, timestampMs: 2, type: 3, json: 4, binary: 5 } as const;
const tagFields = { name: 1, value: 2 } as const;
const publicationsField = 6;

// All tags take one byte.
const varintTag = (field: number): number => field * 8;
export const lengthTag = (field: number): number => field * 8 + 2;

/** What precedes `length` bytes: tag and length. */
function headLength(length: number): number {
  return 1 + varintLength(length);
}

function fieldLength(length: number): number {
  return headLength(length) + length;
}

function textLength(text: string): number {
  return fieldLength(utf8.length(toWellFormed(text)));
}

/** How an optional field is written and read. */
interface Kind<T> {
  /** With its tag. */
  length(value: T): number;
  /** Returns where it ends. */
  write(bytes: Uint8Array, from: number, field: number, value: T): number;
  /** `before`: what was read of the same member already. */
  read(reader: InstanceType<typeof Reader>, before: T | undefined): T | undefined;
  readonly tag: (field: number) => number;
}

const number: Kind<number> = {
  length: (value) => 1 + varintLength(value),
  write: writeNumber,
  read: (reader) => Number(reader.uint64()) || undefined,
  tag: varintTag,
};

const kinds: { readonly [K in keyof Kinds]: Kind<Kinds[K]> } = {
  text: {
    length: textLength,
    write: writeText,
    read: (reader) => reader.string(),
    tag: lengthTag,
  },
  tags: {
    length: tagsLength,
    write: writeTags,
    read: (reader, before) => withTag(before ?? {}, reader),
    tag: lengthTag,
  },
  flag: {
    length: () => 2,
    write: (bytes, from, field) => writeNumber(bytes, from, field, 1),
    read: (reader) => reader.bool() || undefined,
    tag: varintTag,
  },
  duration: number,
  instant: number,
  integer: number,
};

/** An optional field with the functions of its kind. */
const optional = seenRows.map(({ name, kind, publicationField = 0 }) => ({
  ...(kinds[kind] as Kind<unknown>),
  name,
  field: publicationField,
}));

/** By the tag that begins them. */
const optionalByTag = new Map(optional.map((row) => [row.tag(row.field), row]));

/** Left out, as in proto3. */
function isDefault(value: unknown): boolean {
  return value === undefined || value === '' || value === false || value === 0;
}

function tagsLength(tags: Tags): number {
  let length = 0;
  for (const name in tags) length += fieldLength(textLength(name) + textLength(tags[name] as string));
  return length;
}

function writeTags(bytes: Uint8Array, from: number, field: number, tags: Tags): number {
  let at = from;
  for (const name in tags) {
    const value = tags[name] as string;
    at = writeHead(bytes, at, field, textLength(name) + textLength(value));
    at = writeText(bytes, at, tagFields.name, name);
    at = writeText(bytes, at, tagFields.value, value);
  }
  return at;
}

/**
 * The fields of time and type that were written last: publications of one batch and one namespace have those of the
 * one before (`bench -- http`).
 */
let last = { timestampMs: 0, type: '', written: new Uint8Array(0) };

function timeAndType(timestampMs: number, type: string): Uint8Array {
  if (timestampMs === last.timestampMs && type === last.type) return last.written;
  const timeLength = timestampMs === 0 ? 0 : 1 + varintLength(timestampMs);
  const written = new Uint8Array(timeLength + (type === '' ? 0 : textLength(type)));
  if (timestampMs !== 0) writeNumber(written, 0, fields.timestampMs, timestampMs);
  if (type !== '') writeText(written, timeLength, fields.type, type);
  last = { timestampMs, type, written };
  return written;
}

/** The length of the Publication alone. */
function innerLength(publication: Publication): number {
  const { offset, timestampMs, type, payload } = publication;
  let length = fieldLength(payload.bytes.length);
  if (offset !== 0) length += 1 + varintLength(offset);
  length += timeAndType(timestampMs, type).length;
  if (!hasSeenFields(publication)) return length;
  for (const row of optional) {
    const value = publication[row.name];
    if (!isDefault(value)) length += row.length(value);
  }
  return length;
}

/** Writes it into bytes that `take` gives, as many as it needs. Half characters become U+FFFD. */
export function writePublication(publication: Publication, take: (length: number) => Uint8Array): Uint8Array {
  const { offset, timestampMs, type, payload } = publication;
  const length = innerLength(publication);
  const bytes = take(fieldLength(length));
  let at = writeHead(bytes, 0, publicationsField, length);
  if (offset !== 0) at = writeNumber(bytes, at, fields.offset, offset);
  const both = timeAndType(timestampMs, type);
  for (let i = 0; i < both.length; i++) bytes[at++] = both[i] as number;
  at = writeHead(bytes, at, fields[payload.format], payload.bytes.length);
  bytes.set(payload.bytes, at);
  at += payload.bytes.length;
  if (!hasSeenFields(publication)) return bytes;
  for (const row of optional) {
    const value = publication[row.name];
    if (!isDefault(value)) at = row.write(bytes, at, row.field, value);
  }
  return bytes;
}

function writeHead(bytes: Uint8Array, from: number, field: number, length: number): number {
  bytes[from] = lengthTag(field);
  return writeVarint(bytes, from + 1, length);
}

function writeNumber(bytes: Uint8Array, from: number, field: number, value: number): number {
  bytes[from] = varintTag(field);
  return writeVarint(bytes, from + 1, value);
}

function writeText(bytes: Uint8Array, from: number, field: number, text: string): number {
  const written = toWellFormed(text);
  const at = writeHead(bytes, from, field, utf8.length(written));
  return at + utf8.write(written, bytes, at);
}

/** Reads what `writePublication` wrote, and nothing else; the payload is a view into it. */
export function readPublicationBytes(encoded: Uint8Array): Publication {
  const reader = new Reader(encoded);
  reader.uint32();
  const end = reader.uint32() + reader.pos;
  const publication = draftPublication(0, 0, '', nullPayload);
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === varintTag(fields.offset)) publication.offset = Number(reader.uint64());
    else if (tag === varintTag(fields.timestampMs)) publication.timestampMs = Number(reader.uint64());
    else if (tag === lengthTag(fields.type)) publication.type = reader.string();
    else if (tag === lengthTag(fields.json)) publication.payload = payloadOf('json', reader, encoded);
    else if (tag === lengthTag(fields.binary)) publication.payload = payloadOf('binary', reader, encoded);
    else readOptional(publication, tag, reader);
  }
  return publication;
}

type Draft = ReturnType<typeof draftPublication>;

function readOptional(publication: Draft, tag: number, reader: InstanceType<typeof Reader>): void {
  const row = optionalByTag.get(tag);
  if (row === undefined) throw new TypeError(`no field of a publication: ${tag}`);
  const { name } = row;
  publication[name] = row.read(reader, publication[name]) as never;
}

/**
 * The payload alone of what `writePublication` wrote. By hand: the reader and the other members would be most of what
 * is allocated for it (`bench -- unicast --allocations`).
 */
export function readPayload(encoded: Uint8Array): Payload {
  let at = skipVarint(encoded, 1);
  for (;;) {
    const tag = encoded[at] as number;
    if ((tag & 7) === 0) {
      at = skipVarint(encoded, at + 1);
      continue;
    }
    const start = skipVarint(encoded, at + 1);
    const end = start + readVarint(encoded, at + 1);
    if (tag === lengthTag(fields.json)) return { format: 'json', bytes: encoded.subarray(start, end) };
    if (tag === lengthTag(fields.binary)) return { format: 'binary', bytes: encoded.subarray(start, end) };
    if (!(end < encoded.length)) throw new TypeError('a publication without a payload');
    at = end;
  }
}

function withTag(tags: Tags, reader: InstanceType<typeof Reader>): Tags {
  reader.uint32();
  reader.uint32();
  const name = reader.string();
  reader.uint32();
  // An own property, whatever its name.
  return Object.defineProperty(tags, name, { value: reader.string(), enumerable: true });
}

function payloadOf(
  format: Payload['format'],
  reader: InstanceType<typeof Reader>,
  encoded: Uint8Array,
): Payload {
  const length = reader.uint32();
  const start = reader.pos;
  reader.skip(length);
  return { format, bytes: encoded.subarray(start, reader.pos) };
}

import type { Payload, Publication } from '../frames.ts';
import { nullPayload } from '../payload.ts';
import { toWellFormed } from '../utf8.ts';
import { Reader, utf8 } from './schema.ts';
import { readVarint, skipVarint, varintLength, writeVarint } from './varint.ts';

/**
 * A publication as it stands in a field `publications` of Batch, Snapshot and HistoryPage alike: tag, length and Publication of
 * `proto/gateway.proto`. By hand, as each publication is written so, heard or not, and the generated code takes three times
 * as long (`bench -- unicast`).
 */

/** The numbers of the fields of Publication, and of the one that holds it. */
const fields = {
  offset: 1,
  timestampMs: 2,
  type: 3,
  json: 4,
  binary: 5,
  key: 6,
  tags: 7,
  removed: 8,
} as const;
const tagFields = { name: 1, value: 2 } as const;
const publicationsField = 6;

// All tags take one byte.
const varintTag = (field: number): number => field * 8;
const lengthTag = (field: number): number => field * 8 + 2;

/** What stands in front of `length` bytes: tag and length. */
function headLength(length: number): number {
  return 1 + varintLength(length);
}

function fieldLength(length: number): number {
  return headLength(length) + length;
}

function textLength(text: string): number {
  return fieldLength(utf8.length(toWellFormed(text)));
}

/** Of the Publication alone. */
function innerLength({ offset, timestampMs, type, payload, key, tags, removed }: Publication): number {
  let length = fieldLength(payload.bytes.length);
  if (offset !== 0) length += 1 + varintLength(offset);
  if (timestampMs !== 0) length += 1 + varintLength(timestampMs);
  if (type !== '') length += textLength(type);
  if (key !== undefined && key !== '') length += textLength(key);
  for (const name in tags) length += fieldLength(textLength(name) + textLength(tags[name] as string));
  return removed === true ? length + 2 : length;
}

/** Writes it into bytes that `take` gives, as many as it needs. Half characters become U+FFFD. */
export function writePublication(publication: Publication, take: (length: number) => Uint8Array): Uint8Array {
  const { offset, timestampMs, type, payload, key, tags, removed } = publication;
  const length = innerLength(publication);
  const bytes = take(fieldLength(length));
  let at = writeHead(bytes, 0, publicationsField, length);
  if (offset !== 0) at = writeNumber(bytes, at, fields.offset, offset);
  if (timestampMs !== 0) at = writeNumber(bytes, at, fields.timestampMs, timestampMs);
  if (type !== '') at = writeText(bytes, at, fields.type, type);
  at = writeHead(bytes, at, fields[payload.format], payload.bytes.length);
  bytes.set(payload.bytes, at);
  at += payload.bytes.length;
  if (key !== undefined && key !== '') at = writeText(bytes, at, fields.key, key);
  for (const name in tags) {
    const value = tags[name] as string;
    at = writeHead(bytes, at, fields.tags, textLength(name) + textLength(value));
    at = writeText(bytes, at, tagFields.name, name);
    at = writeText(bytes, at, tagFields.value, value);
  }
  if (removed === true) writeNumber(bytes, at, fields.removed, 1);
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
  let offset = 0;
  let timestampMs = 0;
  let type = '';
  let payload = nullPayload;
  let key: string | undefined;
  let tags: Record<string, string> | undefined;
  let removed: true | undefined;
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === varintTag(fields.offset)) offset = Number(reader.uint64());
    else if (tag === varintTag(fields.timestampMs)) timestampMs = Number(reader.uint64());
    else if (tag === lengthTag(fields.type)) type = reader.string();
    else if (tag === lengthTag(fields.json)) payload = { format: 'json', bytes: viewOf(reader, encoded) };
    else if (tag === lengthTag(fields.binary)) payload = { format: 'binary', bytes: viewOf(reader, encoded) };
    else if (tag === lengthTag(fields.key)) key = reader.string();
    else if (tag === lengthTag(fields.tags)) tags = withTag(tags ?? {}, reader);
    else if (tag === varintTag(fields.removed)) removed = reader.bool() || undefined;
    else throw new TypeError(`no field of a publication: ${tag}`);
  }
  return { offset, timestampMs, type, payload, key, tags, removed };
}

/**
 * The payload alone of what `writePublication` wrote. By hand: the reader and the other members would be most of what is
 * allocated for it (`bench -- unicast --allocations`).
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

function withTag(tags: Record<string, string>, reader: InstanceType<typeof Reader>): Record<string, string> {
  reader.uint32();
  reader.uint32();
  const name = reader.string();
  reader.uint32();
  // An own property, whatever its name.
  return Object.defineProperty(tags, name, { value: reader.string(), enumerable: true });
}

function viewOf(reader: InstanceType<typeof Reader>, encoded: Uint8Array): Uint8Array {
  const length = reader.uint32();
  const start = reader.pos;
  reader.skip(length);
  return encoded.subarray(start, reader.pos);
}

import { concatBytes } from '../bytes.ts';
import type { BatchHeader, HistoryHeader, Payload, Publication, SnapshotHeader, Tags } from '../frames.ts';
import { hasSeenFields, type Kinds, seenRows } from '../publication.ts';
import { utf8 } from '../utf8.ts';
import { toBase64 } from './base64.ts';
import { jsonName } from './names.ts';
import { JsonWriter, jsonMaxBytes } from './writer.ts';

/** The parts of a frame, in order: text, or bytes that are JSON text in UTF-8 already. */
type Piece = string | Uint8Array;

export function join(pieces: readonly Piece[]): Uint8Array {
  return concatBytes(pieces.map((piece) => (typeof piece === 'string' ? utf8(piece) : piece)));
}

/** `,"data":…` or `,"dataBase64":…`. */
export function payloadPieces(payload: Payload): Piece[] {
  if (payload.format === 'binary') return [`,"dataBase64":"${toBase64(payload.bytes)}"`];
  return payload.bytes.length === 0 ? [',"data":null'] : [',"data":', payload.bytes];
}

/** An absent `value` leaves the member out. */
export function member(name: string, value: unknown): string {
  return value === undefined ? '' : `,"${name}":${JSON.stringify(value)}`;
}

/** Encoded publications live until the slowest view has sent them. */
const publications = new JsonWriter();
/** Frames of publications live for a turn or two: a slab of them is soon free. */
const frames = new JsonWriter();

/** Room for the names of the members that are written below, and for what is between them. */
const namesBytes = 200;
const tagBytes = 8;

/** `topic` may be empty: unknown. It is part of a slab of many: keep a copy if it is kept for long. */
export function encodePublication(topic: string, publication: Publication): Uint8Array {
  const { type, payload, timestampMs, offset } = publication;
  publications.begin(publicationMaxBytes(topic, publication, payload));
  publications.ascii('{"type":').text(type);
  if (topic !== '') publications.ascii(',"topic":').text(topic);
  const hasOptionalFields = hasSeenFields(publication);
  if (hasOptionalFields) writeMembers(before, publication);
  if (payload.format === 'binary') publications.ascii(',"dataBase64":').base64(payload.bytes);
  else if (payload.bytes.length === 0) publications.ascii(',"data":null');
  else publications.ascii(',"data":').bytes(payload.bytes);
  publications.ascii(',"timestamp":').instant(timestampMs).ascii(',"offset":').number(offset);
  if (hasOptionalFields) writeMembers(after, publication);
  return publications.ascii('}').end();
}

/** Flags are written last, the other optional fields before the payload. */
const before = rowsOf((kind) => kind !== 'flag');
const after = rowsOf((kind) => kind === 'flag');

function rowsOf(belongs: (kind: keyof Kinds) => boolean): readonly WrittenRow[] {
  return seenRows
    .filter(({ kind }) => belongs(kind))
    .map((row) => ({ ...row, start: `,"${jsonName(row)}":` }));
}

type WrittenRow = (typeof seenRows)[number] & { readonly start: string };

function writeMembers(rows: readonly WrittenRow[], publication: Publication): void {
  for (const { name, kind, start } of rows) {
    const value = publication[name];
    if (value !== undefined && value !== false) writers[kind](publications.ascii(start), value as never);
  }
}

const writers: { readonly [K in keyof Kinds]: (writer: JsonWriter, value: Kinds[K]) => void } = {
  text: (writer, value) => writer.text(value),
  tags: writeTags,
  flag: (writer, value) => writer.ascii(`${value}`),
  duration: (writer, value) => writer.number(value),
  instant: (writer, value) => writer.instant(value),
  integer: (writer, value) => writer.number(value),
};

/** At most this many bytes of JSON. */
const maxBytes: { readonly [K in keyof Kinds]: (value: Kinds[K]) => number } = {
  text: jsonMaxBytes.text,
  tags: tagsMaxBytes,
  flag: () => 5,
  duration: () => jsonMaxBytes.number,
  instant: () => jsonMaxBytes.instant,
  integer: () => jsonMaxBytes.number,
};

function tagsMaxBytes(tags: Tags): number {
  let length = 2;
  for (const name in tags)
    length += tagBytes + jsonMaxBytes.text(name) + jsonMaxBytes.text(tags[name] as string);
  return length;
}

function publicationMaxBytes(topic: string, publication: Publication, { format, bytes }: Payload) {
  const { text, number, instant, base64 } = jsonMaxBytes;
  let length = namesBytes + text(publication.type) + text(topic) + instant + number;
  length += format === 'binary' ? base64(bytes.length) : bytes.length;
  if (!hasSeenFields(publication)) return length;
  for (const { name, kind } of seenRows) {
    const value = publication[name];
    if (value !== undefined) length += name.length + 4 + maxBytes[kind](value as never);
  }
  return length;
}

function writeTags(writer: JsonWriter, tags: Tags): void {
  let separator = '{';
  for (const name in tags) {
    writer
      .ascii(separator)
      .text(name)
      .ascii(':')
      .text(tags[name] as string);
    separator = ',';
  }
  // No member at all: nothing has opened the object yet.
  writer.ascii(separator === ',' ? '}' : `${separator}}`);
}

/** Begins a frame of this many bytes besides its texts. */
function begin(
  topic: string | undefined,
  epoch: string | undefined,
  pieces: readonly Uint8Array[],
  cursor = '',
): JsonWriter {
  const { text, number } = jsonMaxBytes;
  const texts = text(topic ?? '') + text(epoch ?? '') + text(cursor);
  let length = namesBytes + 6 * number + texts + pieces.length;
  for (const piece of pieces) length += piece.length;
  return frames.begin(length);
}

function writeTopic(writer: JsonWriter, topic: string): void {
  if (topic !== '') writer.ascii(',"topic":').text(topic);
}

function writeEpoch(writer: JsonWriter, epoch: string | undefined): void {
  if (epoch !== undefined) writer.ascii(',"epoch":').text(epoch);
}

/** `"messages":[`, the publications, `]}`: one copy of each. */
function endWithMessages(writer: JsonWriter, pieces: readonly Uint8Array[]): Uint8Array {
  writer.ascii(',"messages":[');
  for (let i = 0; i < pieces.length; i++) {
    if (i > 0) writer.ascii(',');
    writer.bytes(pieces[i] as Uint8Array);
  }
  return writer.ascii(']}').end();
}

export function frameBatch(topic: string, header: BatchHeader, pieces: readonly Uint8Array[]): Uint8Array {
  const { view, epoch, after, upto, cursor } = header;
  const writer = begin(topic, epoch, pieces, cursor);
  // A publication of the batch has an offset in (after, upto]: here that is upto.
  if (pieces.length === 1 && after === upto - 1) {
    // Its own object, with more members instead of the closing brace.
    writer.bytes(pieces[0] as Uint8Array).back();
    writeEpoch(writer, epoch);
    if (cursor !== undefined) writer.ascii(',"cursor":').text(cursor);
    return writer.ascii(',"view":').number(view).ascii('}').end();
  }
  writer.ascii('{"type":"batch"');
  writeTopic(writer, topic);
  writeEpoch(writer, epoch);
  if (cursor !== undefined) writer.ascii(',"cursor":').text(cursor);
  writer.ascii(',"view":').number(view).ascii(',"after":').number(after).ascii(',"upto":').number(upto);
  return endWithMessages(writer, pieces);
}

export function frameSnapshot(header: SnapshotHeader, pieces: readonly Uint8Array[]): Uint8Array {
  const { view, topic, epoch, offset, first, last, partial } = header;
  const writer = begin(topic, epoch, pieces);
  writer.ascii('{"type":"snapshot","view":').number(view).ascii(',"topic":').text(topic);
  writeEpoch(writer, epoch);
  writer.ascii(',"offset":').number(offset).ascii(`,"first":${first},"last":${last}`);
  if (partial === true) writer.ascii(',"partial":true');
  return endWithMessages(writer, pieces);
}

export function frameHistory(id: number, header: HistoryHeader, pieces: readonly Uint8Array[]): Uint8Array {
  const { topic, epoch, after, upto, more, missing } = header;
  const writer = begin(topic, epoch, pieces).ascii('{"type":"history"');
  if (id !== 0) writer.ascii(',"id":').number(id);
  writer.ascii(',"topic":').text(topic);
  writeEpoch(writer, epoch);
  writer.ascii(',"after":').number(after).ascii(',"upto":').number(upto).ascii(`,"more":${more}`);
  if (missing !== undefined) writer.ascii(member('missing', missing));
  return endWithMessages(writer, pieces);
}

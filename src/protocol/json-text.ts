import { toBase64 } from './base64.ts';
import { concatBytes } from './bytes.ts';
import type { BatchHeader, HistoryHeader, Payload, Publication, SnapshotHeader } from './frames.ts';
import { toInstant } from './instant.ts';
import { utf8 } from './utf8.ts';

/** What stands in a frame in this order: text, or bytes that are JSON text in UTF-8 already. */
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

/** `topic` may be empty: unknown. */
export function encodePublication(topic: string, publication: Publication): Uint8Array {
  const { type, key, tags, timestampMs, offset } = publication;
  let head = `{"type":${JSON.stringify(type)}${member('topic', topic || undefined)}`;
  if (key !== undefined) head += member('key', key);
  if (tags !== undefined) head += member('tags', tags);
  const removed = publication.removed ? ',"removed":true' : '';
  const tail = `,"timestamp":"${toInstant(timestampMs)}","offset":${offset}${removed}}`;
  const { format, bytes } = publication.payload;
  if (format === 'json' && bytes.length > 0) return join([`${head},"data":`, bytes, tail]);
  return join([head, ...payloadPieces(publication.payload), tail]);
}

const comma = 0x2c;

/** `head`, the publications, `]}`: one allocation, one copy of each publication. */
function frame(head: string, publications: readonly Uint8Array[]): Uint8Array {
  const start = utf8(head);
  let length = start.length + Math.max(0, publications.length - 1) + 2;
  for (const publication of publications) length += publication.length;
  const bytes = new Uint8Array(length);
  bytes.set(start);
  let at = start.length;
  for (let i = 0; i < publications.length; i++) {
    if (i > 0) bytes[at++] = comma;
    bytes.set(publications[i]!, at);
    at += publications[i]!.length;
  }
  bytes[at] = 0x5d;
  bytes[at + 1] = 0x7d;
  return bytes;
}

export function frameBatch(
  topic: string,
  header: BatchHeader,
  publications: readonly Uint8Array[],
): Uint8Array {
  const cursor = member('cursor', header.cursor);
  const epoch = member('epoch', header.epoch);
  // A publication of the batch has an offset in (after, upto]: here that is upto.
  if (publications.length === 1 && header.after === header.upto - 1) {
    return flatBatch(publications[0]!, `${epoch},"view":${header.view}${cursor}}`);
  }
  const { view, after, upto } = header;
  const place = `${member('topic', topic || undefined)}${epoch},"view":${view}${cursor}`;
  return frame(`{"type":"batch"${place},"after":${after},"upto":${upto},"messages":[`, publications);
}

/** The publication's own object, with more members instead of the closing brace. */
function flatBatch(publication: Uint8Array, tail: string): Uint8Array {
  const end = utf8(tail);
  const bytes = new Uint8Array(publication.length - 1 + end.length);
  bytes.set(publication.subarray(0, publication.length - 1));
  bytes.set(end, publication.length - 1);
  return bytes;
}

export function frameSnapshot(header: SnapshotHeader, publications: readonly Uint8Array[]): Uint8Array {
  const { view, topic, epoch, offset, first, last } = header;
  const place = `"view":${view}${member('topic', topic)}${member('epoch', epoch)},"offset":${offset}`;
  return frame(`{"type":"snapshot",${place},"first":${first},"last":${last},"messages":[`, publications);
}

export function frameHistory(
  id: number,
  header: HistoryHeader,
  publications: readonly Uint8Array[],
): Uint8Array {
  const { topic, epoch, after, upto, more, missing } = header;
  const place = `${member('topic', topic)}${member('epoch', epoch)},"after":${after},"upto":${upto}`;
  return frame(
    `{"type":"history"${member('id', id || undefined)}${place},"more":${more}${member('missing', missing)},"messages":[`,
    publications,
  );
}

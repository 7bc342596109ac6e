import { anyKey, choose, type SoleReceiver } from '../fanout/choose.ts';
import { conflate } from '../fanout/conflate.ts';
import { batchHeader } from '../fanout/encoder.ts';
import type { Feed } from '../fanout/view.ts';
import type { BatchHeader } from '../protocol/frames.ts';
import type { StoredPublication } from '../topics/publication.ts';
import { catchUpTarget } from './topic-backlog.ts';

/** A batch of what a ring holds after `header.after`, for one view. */
export interface Page {
  readonly header: BatchHeader;
  readonly epoch: string;
  /** More followed it when it was made. Otherwise it ends where the view was then. */
  readonly isFull: boolean;
  readonly publications: number;
  readonly message: Uint8Array;
  /** The message ends with its publications, in this many bytes. */
  readonly runBytes: number;
}

export interface MadePage {
  readonly page: Page;
  /** Every subscriber of the view that continues after this position gets the same. */
  readonly isForAll: boolean;
}

/** A page covers at most this many publications: an empty page must not walk a whole ring. */
const pageMaxPublications = 1000;
/** The same for codecs with few publications per page, so that each page walks a small part of a ring. */
const shortPageMaxPublications = 100;

/** What is left of a run of publications when a page is cut there. */
interface PageCut {
  readonly offset: number;
  readonly pieces: number;
  readonly bytes: number;
}

/**
 * Makes a page of the publications after `position`, as large as `pageBytes` allows. A page that is not the last
 * ends, in its second half, at the roundest offset: subscribers that continue after different positions soon share
 * their pages.
 */
export function makePage(feed: Feed, position: number, sole: SoleReceiver, pageBytes: number): MadePage {
  const { view, topic } = feed;
  const { codec } = view.options;
  const target = catchUpTarget(feed);
  const perPage = codec.publicationsPerFrame ?? Number.POSITIVE_INFINITY;
  const end = pageEnd(position, target, perPage < shortPageMaxPublications);
  const held = topic.state === undefined ? undefined : anyKey;
  const { publications, kept } = conflated(feed, position, end, sole);
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  let upto = end;
  let isForAll = true;
  let cut: PageCut = { offset: 0, pieces: 0, bytes: 0 };
  for (const publication of publications) {
    if (pieces.length >= perPage) {
      upto = publication.offset - 1;
      break;
    }
    if (bytes >= pageBytes) {
      upto = cut.offset;
      pieces.length = cut.pieces;
      bytes = cut.bytes;
      break;
    }
    if (feed.exceptOf(publication) !== undefined || publication.ttlMs !== undefined) isForAll = false;
    if (kept?.has(publication) === false) continue;
    const chosen = choose(feed, publication, held, sole);
    if (chosen === undefined) continue;
    const piece = chosen.encoded(codec);
    pieces.push(piece);
    bytes += piece.length;
    const { offset } = publication;
    if (2 * bytes >= pageBytes && roundness(offset) > roundness(cut.offset))
      cut = { offset, pieces: pieces.length, bytes };
  }
  const header = batchHeader(feed, position, upto);
  const message = codec.frameBatch(topic.name, header, pieces);
  const isFull = upto < target;
  const page = { header, epoch: topic.epoch, isFull, publications: pieces.length, message, runBytes: bytes };
  return { page, isForAll };
}

/** The publications of (position, end], and those that conflation keeps; undefined: all. */
function conflated(
  feed: Feed,
  position: number,
  end: number,
  sole: SoleReceiver,
): { publications: Iterable<StoredPublication>; kept: ReadonlyMap<StoredPublication, unknown> | undefined } {
  const { view, topic } = feed;
  const inRing = topic.ring.between(position, end);
  if (topic.state === undefined && !view.options.conflate) return { publications: inRing, kept: undefined };
  const publications = [...inRing];
  return { publications, kept: conflate(publications, feed, sole) };
}

/** Up to where a page that begins after `position` goes at most. */
function pageEnd(position: number, target: number, isShort: boolean): number {
  const most = isShort ? shortPageMaxPublications : pageMaxPublications;
  const end = position + most;
  return target <= end ? target : roundest(end - most / 2, end);
}

const roundnessMax = 0x4000_0000;

/** The largest power of two that divides this offset, at most 2^30; 0 for no offset. */
function roundness(offset: number): number {
  if (offset === 0) return 0;
  const low = offset % roundnessMax;
  return low & -low || roundnessMax;
}

/** The roundest offset of (after, upto]. */
function roundest(after: number, upto: number): number {
  let power = roundnessMax;
  while (upto - (upto % power) <= after) power /= 2;
  return upto - (upto % power);
}

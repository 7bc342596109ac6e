import type { Filter, OffsetRange, Position } from '../protocol/frames.ts';
import { compileFilter } from './filter.ts';
import type { StoredPublication } from './publication.ts';
import type { Ring } from './ring.ts';
import type { Topic } from './topic.ts';

/** A page of a topic's ring. */
export interface HistoryPage extends OffsetRange {
  readonly epoch: string;
  readonly publications: readonly StoredPublication[];
  readonly more: boolean;
  /** Requested offsets that the ring no longer holds. */
  readonly missing: OffsetRange | undefined;
}

/** The page of a topic that holds nothing: what it has published is missing. */
export function emptyHistory({ epoch, offset }: Position, after: number | undefined): HistoryPage {
  const missing = after !== undefined && after < offset ? { after, upto: offset } : undefined;
  return { epoch, after: offset, upto: offset, publications: [], more: false, missing };
}

/**
 * Publications with offsets greater than `after`, or all from the oldest on. Expired ones are left out. The page ends
 * once its payloads have `maxBytes`.
 */
export function readHistoryPage(
  { ring, epoch }: Topic,
  after: number | undefined,
  limit: number,
  maxBytes: number,
  nowMs: number,
): HistoryPage {
  const { reach, newest } = ring;
  const from = Math.min(Math.max(after ?? reach, reach), newest);
  const upto = pageEnd(ring, from, Math.min(from + limit, newest), maxBytes);
  const publications = ring.slice(from, upto).filter(({ expiresAtMs }) => expiresAtMs > nowMs);
  const missing = after !== undefined && after < reach ? { after, upto: reach } : undefined;
  return { epoch, after: from, upto, publications, more: upto < newest, missing };
}

function pageEnd(ring: Ring, from: number, upto: number, maxBytes: number): number {
  let bytes = 0;
  for (const { payload, offset } of ring.between(from, upto)) {
    bytes += payload.bytes.length;
    if (bytes >= maxBytes) return offset;
  }
  return upto;
}

/** Keeps only publications that the filter matches. The page covers the same offsets. */
export function filteredPage(page: HistoryPage, filter: Filter): HistoryPage {
  const { matches } = compileFilter(filter);
  return { ...page, publications: page.publications.filter(({ tags }) => matches(tags)) };
}

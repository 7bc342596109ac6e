import type { OffsetRange } from '../protocol/frames.ts';
import type { StoredPublication } from './publication.ts';
import type { Topic } from './topic.ts';

/** A page of a topic's ring. */
export interface HistoryPage extends OffsetRange {
  readonly epoch: string;
  readonly publications: readonly StoredPublication[];
  readonly more: boolean;
  /** What was asked for and is gone. */
  readonly missing: OffsetRange | undefined;
}

/** Of a topic that nobody knows. */
export const noHistory: HistoryPage = {
  epoch: '',
  after: 0,
  upto: 0,
  publications: [],
  more: false,
  missing: undefined,
};

/** What the ring holds behind `after`, or from the oldest on; without what has expired. */
export function historyPage(
  { ring, epoch }: Topic,
  after: number | undefined,
  limit: number,
  nowMs: number,
): HistoryPage {
  const { reach, newest } = ring;
  const from = Math.min(Math.max(after ?? reach, reach), newest);
  const upto = Math.min(from + limit, newest);
  const publications = ring.slice(from, upto).filter(({ expiresAtMs }) => expiresAtMs > nowMs);
  const missing = after !== undefined && after < reach ? { after, upto: reach } : undefined;
  return { epoch, after: from, upto, publications, more: upto < newest, missing };
}

import type { StoredPublication } from '../topics/publication.ts';
import { isExcepted, type SoleReceiver } from './choose.ts';
import type { Feed } from './view.ts';

/** What was seen of a key. */
interface Newer {
  /** The one session that still lacks a value; null: none does. */
  readonly lacks: string | null;
  /** When the oldest that was kept expires. */
  readonly expiresAtMs: number;
}

/**
 * The publications that conflation keeps: the newest per key that a receiver gets. The value is the session that alone
 * still needs the publication, because it is excepted from a newer one; undefined: everyone that it is for.
 *
 * In a stream, publications without a key all stay, and what a receiver does not get (by filter, `except` or TTL)
 * replaces nothing. One that expires before an older one does not replace that either: it may go out in a later frame,
 * which a receiver may lose and then be caught up too late. In state mode no key is a key too; a value that does not
 * match the filter replaces an older one, and so does one that has expired.
 */
export function conflate(
  publications: readonly StoredPublication[],
  feed: Feed,
  sole?: SoleReceiver,
): Map<StoredPublication, string | undefined> {
  const kept = new Map<StoredPublication, string | undefined>();
  const isState = feed.topic.state !== undefined;
  const newer = new Map<string, Newer>();
  for (let i = publications.length - 1; i >= 0; i--) {
    const publication = publications[i] as StoredPublication;
    const matches = feed.view.matches(publication);
    const except = matches ? feed.exceptOf(publication) : undefined;
    if (sole !== undefined && isExcepted(sole, except)) continue;
    const hasExpired = matches && sole !== undefined && publication.expiresAtMs <= sole.nowMs;
    if (!isState && (!matches || hasExpired)) continue;
    if (!isState && publication.key === undefined) {
      kept.set(publication, undefined);
      continue;
    }
    const key = publication.key ?? '';
    const rest = lackingAfter(newer.get(key), publication, isState);
    if (rest === null || (rest !== undefined && rest === except)) continue;
    if (!hasExpired) kept.set(publication, rest);
    const lacks = rest === undefined && sole === undefined ? (except ?? null) : null;
    newer.set(key, { lacks, expiresAtMs: publication.expiresAtMs });
  }
  return kept;
}

/** Who still lacks this publication after a newer one of its key; undefined: everyone, as none replaces it. */
function lackingAfter(
  newer: Newer | undefined,
  { expiresAtMs }: StoredPublication,
  isState: boolean,
): string | null | undefined {
  if (newer === undefined || (!isState && expiresAtMs > newer.expiresAtMs)) return undefined;
  return newer.lacks;
}

import { nullPayload } from '../protocol/payload.ts';
import { publishOf } from '../protocol/publication.ts';
import { StoredPublication } from '../topics/publication.ts';
import type { Feed } from './view.ts';

/**
 * The removal that a view sends when a key's new value does not match its filter. It goes to every member, also to the
 * session that the publication excepts: if the next value does not match either, nothing else would tell that session
 * that its older value is gone.
 */
export function removalOf(publication: StoredPublication): StoredPublication {
  const { topic, type, key, offset, seq, timestampMs, acceptedAtMs } = publication;
  return new StoredPublication(
    publishOf({ topic, type, key, payload: nullPayload, removed: true }),
    offset,
    seq,
    timestampMs,
    acceptedAtMs,
  );
}

/** One session that is caught up by itself, rather than with all members of the view. */
export interface Reader {
  readonly session: string;
  /** The session that its client had before: publications may except that one. */
  readonly formerSession?: string | undefined;
  /** Milliseconds since 1970: what has expired by then is not sent. */
  readonly nowMs: number;
}

export function isExcepted(
  { session, formerSession }: Omit<Reader, 'nowMs'>,
  except: string | undefined,
): boolean {
  return except !== undefined && (except === session || except === formerSession);
}

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
  reader?: Reader,
): Map<StoredPublication, string | undefined> {
  const kept = new Map<StoredPublication, string | undefined>();
  const isState = feed.topic.state !== undefined;
  const newer = new Map<string, Newer>();
  for (let i = publications.length - 1; i >= 0; i--) {
    const publication = publications[i] as StoredPublication;
    const matches = feed.matches(publication);
    const except = matches ? feed.exceptOf(publication) : undefined;
    if (reader !== undefined && isExcepted(reader, except)) continue;
    const hasExpired = matches && reader !== undefined && publication.expiresAtMs <= reader.nowMs;
    if (!isState && (!matches || hasExpired)) continue;
    if (!isState && publication.key === undefined) {
      kept.set(publication, undefined);
      continue;
    }
    const key = publication.key ?? '';
    const rest = lackingAfter(newer.get(key), publication, isState);
    if (rest === null || (rest !== undefined && rest === except)) continue;
    if (!hasExpired) kept.set(publication, rest);
    const lacks = rest === undefined && reader === undefined ? (except ?? null) : null;
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

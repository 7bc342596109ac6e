import { nullPayload } from '../protocol/payload.ts';
import { publishOf } from '../protocol/publication.ts';
import { StoredPublication } from '../topics/publication.ts';
import type { HeldKeys } from './held-keys.ts';
import type { Feed } from './view.ts';

/** One session that is caught up by itself, rather than with all members of the view. */
export interface SoleReceiver {
  readonly session: string;
  /** The session that its client had before: publications may except that one. */
  readonly formerSession?: string | undefined;
  /** Milliseconds since 1970: what has expired by then is not sent. */
  readonly nowMs: number;
}

export function isExcepted(
  { session, formerSession }: Omit<SoleReceiver, 'nowMs'>,
  except: string | undefined,
): boolean {
  return except !== undefined && (except === session || except === formerSession);
}

/** The keys of which receivers may hold values, as `choose` uses them. */
type RemovableKeys = Pick<HeldKeys, 'add' | 'delete'>;

/** For a receiver whose keys are not known. To remove a key twice does no harm. */
export const anyKey: RemovableKeys = { add: () => undefined, delete: () => true };

/**
 * What receivers get of a publication: itself, the removal of its key, or nothing. `held`: absent where no removals are
 * needed. `sole`: the one receiver; absent: all members of the view.
 */
export function choose(
  feed: Feed,
  publication: StoredPublication,
  held: RemovableKeys | undefined,
  sole?: SoleReceiver,
): StoredPublication | undefined {
  const key = publication.key ?? '';
  if (!feed.view.has(key)) return undefined;
  if (!feed.view.matches(publication)) return held?.delete(key) === true ? removalOf(publication) : undefined;
  if (sole !== undefined && !isFor(sole, feed, publication)) return undefined;
  if (publication.removed === true) held?.delete(key);
  else held?.add(key);
  return publication;
}

function isFor(sole: SoleReceiver, feed: Feed, publication: StoredPublication): boolean {
  return !isExcepted(sole, feed.exceptOf(publication)) && publication.expiresAtMs > sole.nowMs;
}

/**
 * The removal that a view sends when a key's new value does not match its filter. It goes to every member, also to the
 * session that the publication excepts: if the next value does not match either, nothing else would tell that session
 * that its older value is gone.
 */
function removalOf(publication: StoredPublication): StoredPublication {
  const { topic, type, key, offset, seq, timestampMs, acceptedAtMs } = publication;
  return new StoredPublication(
    publishOf({ topic, type, key, payload: nullPayload, removed: true }),
    offset,
    seq,
    timestampMs,
    acceptedAtMs,
  );
}

import type { StoredPublication } from '../topics/publication.ts';
import { isExcepted, type Reader, removalOf } from './conflate.ts';
import type { HeldKeys } from './held-keys.ts';
import type { Feed } from './view.ts';

/** What removals need of the keys of which receivers hold values. */
type RemovableKeys = Pick<HeldKeys, 'add' | 'delete'>;

/** For a receiver whose keys are not known. To remove a key twice does no harm. */
export const anyKey: RemovableKeys = { add: () => undefined, delete: () => true };

/**
 * What receivers get of a publication: itself, the removal of its key, or nothing. `held`: absent where no removals are
 * needed. `reader`: the one receiver; absent: all members of the view.
 */
export function choose(
  feed: Feed,
  publication: StoredPublication,
  held: RemovableKeys | undefined,
  reader?: Reader,
): StoredPublication | undefined {
  const key = publication.key ?? '';
  if (!feed.view.has(key)) return undefined;
  if (!feed.matches(publication)) return held?.delete(key) === true ? removalOf(publication) : undefined;
  if (reader !== undefined && !isFor(reader, feed, publication)) return undefined;
  if (publication.removed === true) held?.delete(key);
  else held?.add(key);
  return publication;
}

function isFor(reader: Reader, feed: Feed, publication: StoredPublication): boolean {
  return !isExcepted(reader, feed.exceptOf(publication)) && publication.expiresAtMs > reader.nowMs;
}

import type { StoredPublication } from '../topics/publication.ts';
import { isExcepted, type Reader, removalOf } from './conflate.ts';
import type { Feed } from './view.ts';

/**
 * Keys of which receivers may hold a value. When the value of one stops matching the filter, they are sent its removal.
 */
export interface KeysHeld {
  add(key: string): void;
  /** Returns whether a value of the key may have been held. */
  delete(key: string): boolean;
}

/** For a receiver whose keys are not known. To remove a key twice does no harm. */
export const anyKey: KeysHeld = { add: () => undefined, delete: () => true };

/**
 * What receivers get of a publication: itself, the removal of its key, or nothing. `held`: absent where no removals are
 * needed. `reader`: the one receiver; absent: all members of the view.
 */
export function choose(
  feed: Feed,
  publication: StoredPublication,
  held: KeysHeld | undefined,
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

import { nullPayload } from '../protocol/payload.ts';
import { StoredPublication } from '../topics/publication.ts';
import type { Feed } from './view.ts';

/**
 * What a view sends in place of a publication that stopped matching its filter: the key is gone, for this view. Also for who was
 * not to get the publication: the next one may match as little, and then nobody knows of an older value there.
 */
export function removalOf(publication: StoredPublication): StoredPublication {
  const { topic, type, key, offset, seq, timestampMs, acceptedAtMs } = publication;
  return new StoredPublication(
    { topic, type, key, payload: nullPayload, removed: true },
    offset,
    seq,
    timestampMs,
    acceptedAtMs,
  );
}

/**
 * The newest publication per key. In state mode no key is a key too, and a value that doesn't match the filter replaces one that
 * did; in a stream publications without a key all stay, and only what the view is to see counts as newer.
 */
export function conflate(
  publications: readonly StoredPublication[],
  feed: Feed,
): readonly StoredPublication[] {
  const isState = feed.topic.state !== undefined;
  const candidates = isState ? publications : publications.filter((publication) => feed.matches(publication));
  const newest = new Map<string, StoredPublication>();
  for (const publication of candidates) {
    if (isState || publication.key !== undefined) newest.set(publication.key ?? '', publication);
  }
  return candidates.filter(
    (publication) =>
      (!isState && publication.key === undefined) || newest.get(publication.key ?? '') === publication,
  );
}

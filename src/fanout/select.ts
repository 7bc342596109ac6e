import { nullPayload } from '../protocol/payload.ts';
import { StoredPublication } from '../topics/publication.ts';

/** What a view sends in place of a publication that stopped matching its filter: the key is gone, for this view. */
export function removalOf(publication: StoredPublication): StoredPublication {
  const { topic, type, key, except, offset, timestampMs, acceptedAtMs } = publication;
  return new StoredPublication(
    { topic, type, key, except, payload: nullPayload, removed: true },
    offset,
    timestampMs,
    acceptedAtMs,
  );
}

/** The newest publication per key; publications without a key all stay, except in state mode, where that is a key too. */
export function conflate(
  publications: readonly StoredPublication[],
  isState: boolean,
): readonly StoredPublication[] {
  const newest = new Map<string, StoredPublication>();
  for (const publication of publications) {
    if (isState || publication.key !== undefined) newest.set(publication.key ?? '', publication);
  }
  return publications.filter(
    (publication) =>
      (!isState && publication.key === undefined) || newest.get(publication.key ?? '') === publication,
  );
}

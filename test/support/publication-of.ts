import { draftPublication, type Publication } from '../../src/protocol/publication.ts';

type Always = 'offset' | 'timestampMs' | 'type' | 'payload';

/** A publication with the members that are given. */
export function publicationOf({
  offset,
  timestampMs,
  type,
  payload,
  ...members
}: Pick<Publication, Always> & Partial<Publication>): Publication {
  return Object.assign(draftPublication(offset, timestampMs, type, payload), members);
}

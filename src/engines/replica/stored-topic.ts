import type { Numbering, StoredTopic } from '../../topics/engine.ts';
import type { StoredPublication } from '../../topics/publication.ts';

/** A publication that came while its topic was being loaded. */
export interface LatePublication {
  readonly epoch: string;
  readonly publication: StoredPublication;
}

/** The stored form of a topic whose content is gone. */
export function withoutContent({ epoch, offset, seq, bornAfterSeq }: Numbering): StoredTopic {
  return { epoch, offset, seq, bornAfterSeq, evictedSeq: seq, publications: [], state: [] };
}

/**
 * The topic as of `head`: without what was stored after it, and with publications that came while it was loaded. A
 * value that was replaced after `head` is left out, because its successor comes as a change.
 */
export function storedAsOf(
  head: Numbering,
  stored: StoredTopic | undefined,
  later: readonly LatePublication[],
): StoredTopic {
  const { epoch, offset, seq, bornAfterSeq } = head;
  const isSame = stored?.epoch === epoch;
  const kept = isSame ? stored : withoutContent({ epoch, offset: 0, seq: 0, bornAfterSeq });
  const added = later.filter((each) => each.epoch === epoch && each.publication.offset > kept.offset);
  const publications = [...kept.publications, ...added.map(({ publication }) => publication)];
  const upToHead = publications.filter((publication) => publication.offset <= offset);
  return {
    epoch,
    offset,
    seq,
    bornAfterSeq,
    // Publications of another numbering say nothing about this one.
    evictedSeq: upToHead.length === 0 ? seq : kept.evictedSeq,
    publications: upToHead,
    state: valuesAt(offset, kept.state, added),
  };
}

function valuesAt(
  offset: number,
  state: readonly StoredPublication[],
  later: readonly LatePublication[],
): StoredPublication[] {
  const values = new Map(state.map((publication) => [publication.key ?? '', publication]));
  for (const { publication } of later) {
    const key = publication.key ?? '';
    values.delete(key);
    if (publication.removed !== true) values.set(key, publication);
  }
  return [...values.values()].filter((publication) => publication.offset <= offset);
}

/** Whether `stored` has everything after `known`, so that the numbering can be continued. */
export function hasSuccessorsOf(known: Numbering | undefined, stored: StoredTopic): boolean {
  if (known !== undefined && (known.epoch !== stored.epoch || known.offset > stored.offset)) return false;
  const first = stored.publications[0]?.offset ?? stored.offset + 1;
  return first <= (known?.offset ?? 0) + 1;
}

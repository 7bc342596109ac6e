import type { StoredTopic } from '../../topics/engine.ts';
import type { StoredPublication } from '../../topics/publication.ts';
import { damagedData, isDamage } from './data-dir-error.ts';
import type { TopicHead } from './head.ts';
import { offsetKey, topicRange } from './keys.ts';
import { decodePublication, publicationFacts } from './records.ts';
import type { Store } from './store.ts';

/** Reads the publications within the topic's retention, and the newest publication per key. */
export function readTopic(store: Store, head: TopicHead, nowMs: number): StoredTopic {
  return namingTopic(store, head.name, () => {
    const { epoch, offset, seq, evictedSeq, bornAfterSeq } = head;
    const publications = newestPublications(store, head, nowMs);
    return {
      epoch,
      offset,
      seq,
      bornAfterSeq,
      publications,
      state: head.mode === 'state' ? stateOf(store, head) : [],
      evictedSeq: evictedSeqBefore(store, head, publications) ?? evictedSeq,
    };
  });
}

/** Runs `work`. If it throws because of damage, the error names the file and the topic. */
export function namingTopic<T>({ file }: Store, topic: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!isDamage(error)) throw error;
    throw damagedData(file, `topic ${topic}: ${error.message}`, error);
  }
}

/** The longest unchanged first. */
function stateOf(store: Store, { name, number }: TopicHead): StoredPublication[] {
  const state: StoredPublication[] = [];
  for (const { value } of store.entries(topicRange('state', number)))
    state.push(decodePublication(name, value));
  return state.sort((a, b) => a.offset - b.offset);
}

function newestPublications(store: Store, head: TopicHead, nowMs: number): StoredPublication[] {
  const { name, number, reach, offset, retention } = head;
  const limit = Math.min(offset - reach, retention.maxPublications);
  if (limit <= 0) return [];
  const start = offsetKey('publication', number, offset);
  const end = offsetKey('publication', number, reach);
  const newestFirst: StoredPublication[] = [];
  let bytes = 0;
  for (const { value } of store.entries({ start, end, reverse: true, limit })) {
    const publication = decodePublication(name, value);
    bytes += publication.bytes;
    if (bytes > retention.maxBytes && newestFirst.length > 0) break;
    newestFirst.push(publication);
  }
  return withoutOld(newestFirst.reverse(), nowMs - retention.maxAgeMs);
}

function withoutOld(publications: StoredPublication[], horizonMs: number): StoredPublication[] {
  const firstYoung = publications.findIndex(({ publishedAtMs }) => publishedAtMs >= horizonMs);
  return firstYoung === -1 ? [] : publications.slice(firstYoung);
}

/** The `seq` of the publication before the first one, if the store still has it. */
function evictedSeqBefore(
  store: Store,
  { number, offset }: TopicHead,
  publications: readonly StoredPublication[],
): number | undefined {
  const first = publications[0]?.offset ?? offset + 1;
  const record = store.get(offsetKey('publication', number, first - 1));
  return record === undefined ? undefined : publicationFacts(record).seq;
}

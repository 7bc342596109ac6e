import type { StoredTopic } from '../../topics/engine.ts';
import { messageIdWindowMs } from '../../topics/message-id-budget.ts';
import type { StoredPublication } from '../../topics/publication.ts';
import type { UpstreamHead } from '../replica/upstream.ts';
import type { RedisRetention } from './options.ts';
import { decodeRecord } from './records.ts';

interface Head extends UpstreamHead {
  readonly evictedSeq: number;
  /** Publications that its content should have. */
  readonly count: number;
}

/** As the scripts write it. */
export function readHead(text: string): Head {
  const [epoch = '', offset, seq, born, evicted, , count, ids, idle] = text.split(' ');
  return {
    epoch,
    offset: Number(offset),
    seq: Number(seq),
    bornAfterSeq: Number(born),
    evictedSeq: Number(evicted),
    count: Number(count),
    idsUntilMs: ids === '0' ? 0 : Number(ids) + messageIdWindowMs,
    idleAtSeq: idle === '-' ? undefined : Number(idle),
  };
}

type Entry = readonly [
  id: Buffer,
  fields: readonly [Buffer, seq: Buffer, Buffer, cost: Buffer, Buffer, record: Buffer],
];

/** A reply of the script `load`: as much of it as the retention keeps; undefined: the topic has no content. */
export function readStored(
  topic: string,
  reply: unknown,
  retention: RedisRetention,
  nowMs: number,
): StoredTopic | undefined {
  const [head, entries, values] = reply as readonly [Buffer, readonly Entry[], readonly Buffer[]];
  const { epoch, offset, seq, bornAfterSeq, idleAtSeq, ...about } = readHead(head.toString());
  if (idleAtSeq !== undefined) return undefined;
  const all = entries.map(([, [, seq, , , , record]]) => decodeRecord(topic, record, Number(seq))).reverse();
  const { kept, evictedBefore } = newest(all, retention, nowMs);
  // A Redis that evicts keys may have lost content that the head still counts.
  const isShort = entries.length < Math.min(about.count, retention.maxPublications + 1);
  const evictedSeq = isShort ? (kept[0]?.seq ?? seq + 1) - 1 : about.evictedSeq;
  const publications = values.map((value) => readValue(topic, value));
  const state = retention.mode === 'state' ? stateOf(publications, all) : [];
  return {
    epoch,
    offset,
    seq,
    bornAfterSeq,
    state,
    publications: kept,
    evictedSeq: evictedBefore ?? evictedSeq,
  };
}

interface Newest {
  readonly kept: readonly StoredPublication[];
  /** The `seq` of the publication before them. */
  readonly evictedBefore: number | undefined;
}

function newest(
  all: readonly StoredPublication[],
  { maxPublications, maxBytes, maxAgeMs }: RedisRetention,
  nowMs: number,
): Newest {
  let bytes = 0;
  let first = all.length;
  while (first > 0 && all.length - first < maxPublications) {
    bytes += (all[first - 1] as StoredPublication).bytes;
    if (bytes > maxBytes && first < all.length) break;
    first--;
  }
  while (first < all.length && (all[first] as StoredPublication).publishedAtMs < nowMs - maxAgeMs) first++;
  return { kept: all.slice(first), evictedBefore: all[first - 1]?.seq };
}

/**
 * The newest publication per key, the longest unchanged first. Values that Redis has evicted, or did not store because
 * the topic was a stream then, are taken from the history as far as it holds them. Those with a TTL are not: Redis
 * would refuse to remove them when they expire, as it does not hold them.
 */
function stateOf(
  values: readonly StoredPublication[],
  history: readonly StoredPublication[],
): readonly StoredPublication[] {
  const newest = new Map<string, StoredPublication>();
  for (const publication of [...history, ...values]) {
    const { key = '', offset } = publication;
    if (offset >= (newest.get(key)?.offset ?? 0)) newest.set(key, publication);
  }
  const current = new Set(values);
  return [...newest.values()]
    .filter((value) => current.has(value) || (value.removed !== true && value.ttlMs === undefined))
    .sort((a, b) => a.offset - b.offset);
}

/** `OFFSET SEQ RECORD`. */
function readValue(topic: string, value: Buffer): StoredPublication {
  const first = value.indexOf(' ');
  const second = value.indexOf(' ', first + 1);
  const seq = Number(value.toString('latin1', first + 1, second));
  return decodeRecord(topic, value.subarray(second + 1), seq);
}

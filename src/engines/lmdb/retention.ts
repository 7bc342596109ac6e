import type { TopicHead } from './head.ts';
import { goneKey, offsetKey, offsetOfKey, type TopicKind, topicRange } from './keys.ts';
import { publicationFacts } from './records.ts';
import type { Topics } from './topics.ts';

/** Maximum records deleted per transaction, so that publishers do not wait long. */
const deletionsPerStep = 1000;

/** How far a topic may exceed its limits, before its oldest records are deleted together, from the same pages. */
const slack = 1 / 8;
/** Minimum slack in publications, for small rings. */
const slackMinCount = 16;

/** Expired message ids are deleted when they span this many offsets. */
const messageIdSlack = 64;

/** Maximum heads of unknown age that a sweep reads. */
const looksPerSweep = 1000;

/** Deletions that this transaction may still do. */
export interface Budget {
  left: number;
}

/** Whether the topic exceeds its limits plus the slack. For use right after an append. */
export function isOverfull({ offset, reach, bytes, retention }: TopicHead): boolean {
  const { maxPublications, maxBytes } = retention;
  return (
    offset - reach > maxPublications + Math.max(slackMinCount, maxPublications * slack) ||
    (bytes > maxBytes * (1 + slack) && offset - reach > 1)
  );
}

/**
 * Deletes the oldest publications of a topic until its limits hold, or all of them if `all`. Writes the head. Within a
 * transaction.
 */
export function trim(topics: Topics, head: TopicHead, nowMs: number, budget: Budget, all = false): void {
  const { maxPublications, maxBytes, maxAgeMs } = head.retention;
  const horizon = nowMs - maxAgeMs;
  const before = head.reach;
  while (head.reach < head.offset && budget.left > 0) {
    const key = offsetKey('publication', head.number, head.reach + 1);
    const record = topics.store.get(key);
    const facts = record === undefined ? undefined : publicationFacts(record);
    const count = head.offset - head.reach;
    head.oldestMs = facts?.publishedAtMs ?? Number.NaN;
    const isOver =
      all ||
      head.reach < head.evictUpto ||
      facts === undefined ||
      count > maxPublications ||
      (head.bytes > maxBytes && count > 1) ||
      facts.publishedAtMs < horizon;
    if (!isOver) break;
    topics.removeOldest(head, key, facts);
    budget.left--;
  }
  if (head.reach > before) topics.putHead(head);
}

/** Deletes expired message ids. Within a transaction. */
export function trimMessageIds(topics: Topics, head: TopicHead, budget: Budget): void {
  const { messageIds } = head;
  if (messageIds === undefined || !head.storesMessageIds || budget.left === 0) return;
  const upto = messageIds.size > 0 ? messageIds.expiredUpto + 1 : head.offset + 1;
  if (messageIds.size > 0 && upto - 1 - head.messageIdsReach < messageIdSlack) return;
  const start = offsetKey('messageId', head.number, head.messageIdsReach);
  const end = offsetKey('messageId', head.number, upto);
  const keys = topics.store.keys({ start, end, limit: budget.left });
  for (const key of keys) topics.store.remove(key);
  const last = keys.at(-1);
  const isDone = keys.length < budget.left || last === undefined;
  head.messageIdsReach = isDone ? upto - 1 : offsetOfKey(last);
  head.storesMessageIds = !isDone || messageIds.size > 0;
  budget.left -= keys.length;
}

/** The work that a sweep found. */
export interface Sweep {
  readonly aged: readonly TopicHead[];
  readonly isTooMuch: boolean;
}

/** Finds publications beyond their maximum age or the total limit; undefined: nothing to do. Only reads. */
export function findWork(topics: Topics, totalMaxBytes: number, nowMs: number): Sweep | undefined {
  const aged: TopicHead[] = [];
  let looks = looksPerSweep;
  for (const head of topics.heads()) {
    const isUnseen = head.reach < head.offset && Number.isNaN(head.oldestMs);
    const isAged =
      head.reach < Math.min(head.evictUpto, head.offset) ||
      (head.reach < head.offset && head.oldestMs < nowMs - head.retention.maxAgeMs);
    const forgetsIds = head.storesMessageIds && head.messageIds?.prune(nowMs) === 0;
    if (isAged || forgetsIds || (isUnseen && looks-- > 0)) aged.push(head);
  }
  const isTooMuch = topics.bytes > totalMaxBytes;
  const leftovers = topics.gone.length + topics.staleStates.length;
  return aged.length > 0 || isTooMuch || leftovers > 0 ? { aged, isTooMuch } : undefined;
}

/** Deletes at most `deletionsPerStep` records. Returns whether the work is done. Within a transaction. */
export function sweep(topics: Topics, work: Sweep, totalMaxBytes: number, nowMs: number): boolean {
  const budget = { left: deletionsPerStep };
  purge(topics, budget);
  for (const head of work.aged) {
    if (budget.left === 0) return false;
    trim(topics, head, nowMs, budget);
    trimMessageIds(topics, head, budget);
  }
  for (const head of work.isTooMuch ? topics.heads() : []) {
    if (budget.left === 0 || topics.bytes <= totalMaxBytes) break;
    trim(topics, head, nowMs, budget, true);
  }
  return budget.left > 0;
}

const topicKinds: readonly TopicKind[] = ['publication', 'state', 'messageId'];

/** Deletes the records of forgotten topics, and the states of topics that left state mode. */
function purge(topics: Topics, budget: Budget): void {
  for (let number = topics.gone[0]; number !== undefined; number = topics.gone[0]) {
    for (const kind of topicKinds) if (!deleteAll(topics, kind, number, budget)) return;
    topics.store.remove(goneKey(number));
    topics.gone.shift();
  }
  for (let head = topics.staleStates[0]; head !== undefined; head = topics.staleStates[0]) {
    topics.putEngine();
    if (topics.find(head.name) === head) topics.putHead(head);
    if (!deleteAll(topics, 'state', head.number, budget)) return;
    topics.staleStates.shift();
  }
}

/** Returns false if the budget did not suffice. */
function deleteAll(topics: Topics, kind: TopicKind, number: number, budget: Budget): boolean {
  if (budget.left === 0) return false;
  const keys = topics.store.keys({ ...topicRange(kind, number), limit: budget.left });
  for (const key of keys) topics.store.remove(key);
  budget.left -= keys.length;
  return budget.left > 0;
}

import { randomBytes } from 'node:crypto';
import type { MessageIds } from '../../topics/idempotency.ts';
import type { TopicOptions } from '../../topics/topic.ts';
import type { HeadRecord } from './records.ts';

/** What the engine keeps of a topic: at most how many publications, bytes and which age, and whether it has a state. */
export type Retention = Pick<TopicOptions, 'mode' | 'maxPublications' | 'maxBytes' | 'maxAgeMs'>;

/** A topic with content in this process: its stored record, and cached facts. */
export interface TopicHead extends HeadRecord {
  readonly name: string;
  readonly retention: Retention;
  epoch: string;
  offset: number;
  seq: number;
  reach: number;
  evictedSeq: number;
  bytes: number;
  touchedAtMs: number;
  /** Publications up to this offset are to be deleted. */
  evictUpto: number;
  /** When the oldest kept publication was published; NaN: not read yet. */
  oldestMs: number;
  /** Absent until it is read from the store. */
  messageIds: MessageIds | undefined;
  /** Message ids up to this offset are deleted. */
  messageIdsReach: number;
  /** Whether there may be message ids in the store. */
  storesMessageIds: boolean;
}

export function topicHeadOf(name: string, record: HeadRecord, retention: Retention): TopicHead {
  return {
    ...record,
    name,
    retention,
    isIdle: false,
    mode: retention.mode,
    evictUpto: 0,
    oldestMs: Number.NaN,
    messageIds: undefined,
    messageIdsReach: 0,
    storesMessageIds: false,
  };
}

/** The record of a new topic. */
export function newHeadRecord(number: number, bornAfterSeq: number): HeadRecord {
  return {
    number,
    epoch: newEpoch(),
    mode: 'stream',
    offset: 0,
    seq: 0,
    reach: 0,
    evictedSeq: 0,
    bornAfterSeq,
    isIdle: false,
    bytes: 0,
    touchedAtMs: 0,
  };
}

/** The record of a topic without content: its numbering, under a new number. */
export function idleRecord(head: TopicHead, number: number): HeadRecord {
  const { epoch, mode, offset, seq, bornAfterSeq, touchedAtMs } = head;
  return {
    epoch,
    mode,
    offset,
    seq,
    bornAfterSeq,
    touchedAtMs,
    number,
    reach: offset,
    evictedSeq: seq,
    bytes: 0,
    isIdle: true,
  };
}

export function newEpoch(): string {
  return randomBytes(6).toString('base64url');
}

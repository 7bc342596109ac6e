import { SluiceError } from '../../errors.ts';
import type { Position } from '../../protocol/frames.ts';
import type { AppendOutcome, AppendRequest } from '../../topics/engine.ts';
import { publicationDigest } from '../../topics/idempotency.ts';
import { gatewayPayer } from '../../topics/payer.ts';
import { StoredPublication } from '../../topics/publication.ts';
import type { TopicHead } from './head.ts';
import { isOverfull, trim, trimMessageIds } from './retention.ts';
import type { Topics } from './topics.ts';

/** Maximum old records deleted per publication: a topic in use shrinks, and appends stay short. */
const deletionsPerPublication = 4;
/** Additional deletions per topic, enough for its slack. */
const deletionsPerTopic = 128;

/** The new publications of one topic. */
export interface TopicAppend {
  readonly head: TopicHead;
  readonly epoch: string;
  /** Their offsets ascend by one. */
  readonly publications: StoredPublication[];
}

export interface AppendBatch {
  readonly outcomes: readonly AppendOutcome[];
  /** By topic, in the order of their first publication. */
  readonly appended: readonly TopicAppend[];
}

/** Numbers the requests, writes the new publications, and returns an outcome for each. Within a transaction. */
export function appendAll(topics: Topics, requests: readonly AppendRequest[], nowMs: number): AppendBatch {
  const appended = new Map<TopicHead, TopicAppend>();
  topics.putEngine();
  const outcomes = requests.map((request) => appendOne(topics, request, nowMs, appended));
  for (const { head, publications } of appended.values()) {
    const deletions = deletionsPerTopic + deletionsPerPublication * publications.length;
    topics.touch(head, nowMs);
    if (isOverfull(head)) trim(topics, head, nowMs, { left: deletions });
    trimMessageIds(topics, head, { left: deletions });
    topics.putHead(head);
  }
  return { outcomes, appended: [...appended.values()] };
}

function appendOne(
  topics: Topics,
  { fields, publishedAtMs, timestampMs, acceptedAtMs, payer, ifNewest, expected }: AppendRequest,
  nowMs: number,
  appended: Map<TopicHead, TopicAppend>,
): AppendOutcome {
  if (ifNewest !== undefined && !topics.isNewest(fields, ifNewest))
    return { ok: false, error: new SluiceError('not_found') };
  if (expected !== undefined && !isAt(topics.find(fields.topic) ?? topics.numbering(fields.topic), expected))
    return { ok: false, error: new SluiceError('position_conflict') };
  const { messageId } = fields;
  if (messageId !== undefined && topics.find(fields.topic) === undefined) {
    // Checked first, so that no topic begins with a publish whose message id can't be remembered.
    const refusal = topics.messageIdBudget.refusal(payer, nowMs);
    if (refusal !== undefined) return { ok: false, error: refusal };
  }
  const head = topics.findOrMake(fields.topic);
  const { epoch } = head;
  const offset = head.offset + 1;
  if (messageId !== undefined) {
    const digest = publicationDigest(fields);
    const candidate = { messageId, digest, payer, epoch, offset };
    const earlier = topics.messageIds(head, nowMs).outcomeOf(candidate, nowMs);
    if (earlier !== undefined) return earlier;
    topics.putMessageId(head, offset, { messageId, digest, atMs: nowMs, payer: payer ?? gatewayPayer });
  }
  const publication = new StoredPublication(
    fields,
    offset,
    topics.nextSeq(),
    publishedAtMs,
    acceptedAtMs,
    timestampMs,
  );
  topics.putPublication(head, publication);
  head.offset = offset;
  head.seq = publication.seq;
  const append = appended.get(head);
  if (append === undefined) appended.set(head, { head, epoch, publications: [publication] });
  else append.publications.push(publication);
  return { ok: true, epoch, offset, duplicate: false };
}

function isAt(newest: Position | undefined, expected: Position): boolean {
  return (newest?.epoch ?? '') === expected.epoch && (newest?.offset ?? 0) === expected.offset;
}

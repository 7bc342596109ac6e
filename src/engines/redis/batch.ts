import { SluiceError } from '../../errors.ts';
import type { AppendOutcome } from '../../topics/engine.ts';
import { publicationDigest } from '../../topics/idempotency.ts';
import type { Batch, BatchReply, UpstreamRequest } from '../replica/upstream.ts';
import type { Keys } from './keys.ts';
import type { RedisRetention } from './options.ts';
import { type EncodedPublication, encodeRecord } from './records.ts';

/** Keys and arguments of the script `commit` after those of the node. */
export interface EncodedBatch {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
  /** The records, one after the other; `args` has their lengths. */
  readonly records: Buffer;
}

/**
 * In the order in which the script takes them. `format`: of the data in Redis. Everything is pushed to one array, as
 * this runs for each publication.
 */
export function encodeBatch(
  { requests, forgets, acknowledged, unacknowledged }: Batch,
  keys: Keys,
  retention: (topic: string) => RedisRetention,
  format: number,
): EncodedBatch {
  const topics = new Topics();
  const rest: (string | number)[] = [forgets.length];
  for (const { topic, position } of forgets) rest.push(topics.number(topic), position.epoch, position.offset);
  const idKeys: string[] = [];
  const records: Buffer[] = [];
  rest.push(requests.length);
  for (const request of requests) {
    const { topic, messageId } = request.request.fields;
    if (messageId !== undefined) idKeys.push(keys.messageId(topic, messageId));
    const record = encodeRecord(request.request, format);
    records.push(record.facts, record.body);
    pushArgs(rest, request, record, topics);
  }
  rest.push(acknowledged.length);
  for (const { topic, user, position } of acknowledged)
    rest.push(JSON.stringify([topic, user]), position.epoch, position.offset);
  rest.push(unacknowledged.length);
  for (const { topic, user } of unacknowledged) rest.push(JSON.stringify([topic, user]));

  const own: string[] = [];
  const args: (string | number)[] = [topics.count];
  for (const name of topics.names()) {
    const { mode, maxPublications, maxBytes } = retention(name);
    // Its mode may have been another one when it had content.
    const hasValues = mode === 'state' || forgets.length > 0;
    own.push(keys.content(name));
    if (hasValues) own.push(keys.values(name));
    args.push(name, mode, maxPublications, maxBytes, hasValues ? 1 : 0);
  }
  return { keys: own.concat(idKeys), args: args.concat(rest), records: Buffer.concat(records) };
}

/** The topics of a batch, each once: scripts count from 1. */
class Topics {
  readonly #numbers = new Map<string, number>();

  number(topic: string): number {
    const existing = this.#numbers.get(topic);
    if (existing !== undefined) return existing;
    this.#numbers.set(topic, this.#numbers.size + 1);
    return this.#numbers.size;
  }

  get count(): number {
    return this.#numbers.size;
  }

  names(): Iterable<string> {
    return this.#numbers.keys();
  }
}

function pushArgs(
  args: (string | number)[],
  { request, refusedForMs }: UpstreamRequest,
  { facts, body, cost }: EncodedPublication,
  topics: Topics,
): void {
  const { fields, ifNewest, expected } = request;
  const { topic, messageId, key = '', removed } = fields;
  const check = ifNewest !== undefined ? 'newest' : expected !== undefined ? 'expected' : '';
  const position = ifNewest ?? expected;
  args.push(topics.number(topic), check, position?.epoch ?? '', position?.offset ?? 0);
  args.push(key, removed === true ? 1 : 0);
  args.push(messageId === undefined ? '' : publicationDigest(fields), refusedForMs ?? '');
  args.push(cost, facts.length, body.length);
}

interface ScriptReply extends BatchReply {
  /** The command that was refused once all was committed, and why; undefined: there was none. */
  readonly refused: string | undefined;
}

export function readReply(reply: string, requests: readonly UpstreamRequest[]): ScriptReply {
  const [head = '', ...lines] = reply.split('\n');
  const [seq, epoch = ''] = head.split(' ');
  return {
    epoch,
    seq: Number(seq),
    outcomes: requests.map((request, i) => readOutcome(lines[i] as string, request)),
    refused: lines[requests.length],
  };
}

function readOutcome(line: string, { refusedForMs }: UpstreamRequest): AppendOutcome {
  const [kind, offset, epoch = ''] = line.split(' ');
  if (kind === 'o' || kind === 'd')
    return { ok: true, epoch, offset: Number(offset), duplicate: kind === 'd' };
  return { ok: false, error: refusals[kind as keyof typeof refusals](refusedForMs) };
}

const refusals = {
  n: () => new SluiceError('not_found'),
  p: () => new SluiceError('position_conflict'),
  c: () => new SluiceError('message_id_conflict'),
  l: (retryAfterMs = 1000) =>
    new SluiceError('rate_limited', 'too many messageIds within 5 minutes', { retryAfterMs }),
};

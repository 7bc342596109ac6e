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

/** In the order in which the script takes them. `format`: of the data in Redis. */
export function encodeBatch(
  { requests, forgets, acknowledged, unacknowledged }: Batch,
  keys: Keys,
  retention: (topic: string) => RedisRetention,
  format: number,
): EncodedBatch {
  const topics = new Topics();
  const forgotten = forgets.flatMap(({ topic, position }) => [
    topics.number(topic),
    position.epoch,
    position.offset,
  ]);
  const idKeys = requests.flatMap(({ request: { fields } }) =>
    fields.messageId === undefined ? [] : [keys.messageId(fields.topic, fields.messageId)],
  );
  const records = requests.map(({ request }) => encodeRecord(request, format));
  const appended = requests.flatMap((request, i) => argsOf(request, records[i]!, topics));
  const kept = topics.names().map((name) => {
    const { mode, maxPublications, maxBytes } = retention(name);
    // Its mode may have been another one when it had content.
    const hasValues = mode === 'state' || forgets.length > 0;
    return {
      keys: hasValues ? [keys.content(name), keys.values(name)] : [keys.content(name)],
      args: [name, mode, maxPublications, maxBytes, hasValues ? 1 : 0],
    };
  });
  return {
    keys: [...kept.flatMap(({ keys: own }) => own), ...idKeys],
    args: [
      kept.length,
      ...kept.flatMap(({ args }) => args),
      ...[forgets.length, ...forgotten],
      ...[requests.length, ...appended],
      acknowledged.length,
      ...acknowledged.flatMap(({ topic, user, position }) => [
        JSON.stringify([topic, user]),
        position.epoch,
        position.offset,
      ]),
      unacknowledged.length,
      ...unacknowledged.map(({ topic, user }) => JSON.stringify([topic, user])),
    ],
    records: Buffer.concat(records.flatMap(({ facts, body }) => [facts, body])),
  };
}

/** The topics of a batch, each once: scripts count from 1. */
class Topics {
  readonly #numbers = new Map<string, number>();

  number(topic: string): number {
    const known = this.#numbers.get(topic);
    if (known !== undefined) return known;
    this.#numbers.set(topic, this.#numbers.size + 1);
    return this.#numbers.size;
  }

  names(): string[] {
    return [...this.#numbers.keys()];
  }
}

function argsOf(
  { request, refusedForMs }: UpstreamRequest,
  { facts, body, cost }: EncodedPublication,
  topics: Topics,
): (string | number)[] {
  const { fields, ifNewest, expected } = request;
  const { topic, messageId, key = '', removed } = fields;
  const check = ifNewest !== undefined ? 'newest' : expected !== undefined ? 'expected' : '';
  const position = ifNewest ?? expected;
  return [
    ...[topics.number(topic), check, position?.epoch ?? '', position?.offset ?? 0],
    ...[key, removed === true ? 1 : 0],
    ...[messageId === undefined ? '' : publicationDigest(fields), refusedForMs ?? ''],
    ...[cost, facts.length, body.length],
  ];
}

/** The outcomes of the script's reply. */
export function readReply(reply: string, requests: readonly UpstreamRequest[]): BatchReply {
  const [head = '', ...lines] = reply.split('\n');
  const [seq, epoch = ''] = head.split(' ');
  return {
    epoch,
    seq: Number(seq),
    outcomes: requests.map((request, i) => readOutcome(lines[i] as string, request)),
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

import type { CommandKind, Commands } from '../protocol/client-frames.ts';
import { canonicalFilter } from '../protocol/equal-subscriptions.ts';
import type { Filter, PublishFields, Tags } from '../protocol/frames.ts';
import { isPlain } from '../protocol/json/faithful.ts';
import type { FieldName } from '../protocol/publication.ts';
import { maxFieldLengths } from '../protocol/publish-limits.ts';
import { isWellFormed } from '../protocol/utf8.ts';
import { checkedFields } from './check.ts';
import { type ClientError, ownError } from './client-error.ts';
import { payloadOf } from './payload.ts';
import type { SubscribeOptions } from './subscriptions/subscribe-options.ts';
import { clientFrame, serverFrame, subscriptionFields } from './wire/tables.ts';

export interface PublishOptions {
  readonly key?: string;
  readonly tags?: Tags;
  /** Generated where absent, so that a publication that is sent again doesn't count twice. */
  readonly messageId?: string;
  readonly ttlMs?: number;
  /** This client doesn't get it: also when it was offline, and after a reconnect. */
  readonly exceptSelf?: boolean;
  readonly timestampMs?: number;
  /** State topics: delete the key. */
  readonly removed?: boolean;
}

/** Of the rows of `src/protocol/publication.ts`; one that is not here does not compile. */
const lacking: readonly Exclude<FieldName, keyof PublishOptions | 'except' | 'expectedOffset'>[] = [];
lacking satisfies readonly never[];

/**
 * Checks and copies the application's arguments when it calls. A wrong argument throws there, with the gateway's code
 * for it: no encoder meets a value that it can't write, in a later turn and beside other commands.
 */

export function checkedCommand<K extends CommandKind>(
  kind: K,
  fields: Readonly<Record<string, unknown>>,
): Commands[K] {
  const { fields: table = [] } = clientFrame.find(({ name }) => name === kind) ?? {};
  return checkedFields(table, fields) as unknown as Commands[K];
}

export function checkedPublish(
  topic: unknown,
  type: unknown,
  data: unknown,
  options: PublishOptions,
): PublishFields {
  const { tags } = options;
  if (typeof tags === 'object' && tags !== null && !isPlain(tags)) {
    throw ownError('invalid_request', 'tags must be a plain object of strings');
  }
  const own = { ...options, tags: tags && { ...tags }, except: undefined, expectedOffset: undefined };
  const wanted = { ...own, topic: checkedTopic(topic), type, payload: payloadOf(data) };
  const fields = checkedCommand('publish', wanted);
  if (!/^[\w\-.:]{1,64}$/.test(fields.type)) {
    throw ownError('invalid_type', 'type must be 1-64 of A-Z a-z 0-9 _ - . :');
  }
  if (controlNames.has(fields.type)) {
    throw ownError('invalid_type', `"${fields.type}" names a control frame`);
  }
  return fields;
}

/** Filters that are well typed, yet too deep or without values, are for the gateway to refuse. */
export function checkedSubscribe(
  topic: unknown,
  options: SubscribeOptions,
): { readonly topic: string; readonly options: SubscribeOptions } {
  const { filter, intervalMs, conflate, presence, last, since } = options;
  const many = Array.isArray(since) ? since : undefined;
  const begin = many ? undefined : since;
  const rest = { intervalMs, conflate, presence, last, since: begin };
  const checked = checkedFields(subscriptionFields, { topic: checkedTopic(topic), ...rest });
  for (const position of many ?? []) {
    checkedFields(subscriptionFields, { topic: position?.topic, since: position });
  }
  if (filter !== undefined) checkFilter(filter, 0, { nodes: 0 });
  const copied = {
    ...options,
    since: many ? many.map((each) => ({ ...each })) : begin && { ...begin },
    keys: options.keys && checkedKeys(options.keys),
  };
  return {
    topic: checked['topic'] as string,
    options: { ...copied, filter: filter && canonicalFilter(filter) } as SubscribeOptions,
  };
}

/** Throws `invalid_request`. */
export function checkedKeys(keys: readonly string[]): readonly string[] {
  const are =
    Array.isArray(keys) && Array.from(keys).every((key) => isText(key) && key.length <= keyMaxLength);
  if (!are || keys.length === 0 || keys.length > keysMax)
    throw ownError(
      'invalid_request',
      `keys must be 1-${keysMax} strings of at most ${keyMaxLength} characters`,
    );
  return [...keys];
}

/** The gateway takes a list of up to this many. */
const keysMax = 1000;
const keyMaxLength = maxFieldLengths.key;

/** Types that the gateway refuses: a JSON message says by its type which frame it is. */
const controlNames: ReadonlySet<string> = new Set(
  [...serverFrame, ...clientFrame]
    .filter(({ fields }) => fields)
    .flatMap(({ name }) => [name, name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)]),
);

function checkedTopic(topic: unknown): string {
  if (!isText(topic) || topic === '') throw ownError('invalid_topic', 'topic must be a string');
  return topic;
}

/**
 * Far above what a gateway takes: more has only a filter that holds itself, or the same part again and again.
 */
const deepest = 100;
const mostNodes = 10_000;

const operands: Readonly<Record<Filter['op'], (filter: Readonly<Record<string, unknown>>) => boolean>> = {
  eq: ({ tag, value }) => isText(tag) && isText(value),
  prefix: ({ tag, value }) => isText(tag) && isText(value),
  in: ({ tag, values }) => isText(tag) && Array.isArray(values) && Array.from(values).every(isText),
  exists: ({ tag }) => isText(tag),
  lt: isComparison,
  lte: isComparison,
  gt: isComparison,
  gte: isComparison,
  and: ({ filters }) => Array.isArray(filters),
  or: ({ filters }) => Array.isArray(filters),
  not: ({ filters }) => Array.isArray(filters),
};

function isComparison({ tag, number }: Readonly<Record<string, unknown>>): boolean {
  return isText(tag) && Number.isFinite(number);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && isWellFormed(value);
}

function checkFilter(filter: unknown, depth: number, count: { nodes: number }): void {
  const parts = (typeof filter === 'object' && filter !== null ? filter : {}) as Record<string, unknown>;
  const { op, filters } = parts;
  if (typeof op !== 'string' || !Object.hasOwn(operands, op)) throw invalidFilter('no such op');
  if (depth > deepest || ++count.nodes > mostNodes) throw invalidFilter('too large');
  if (!operands[op as Filter['op']](parts)) {
    throw invalidFilter(`an operand of "${op}" is missing or wrong`);
  }
  if (Array.isArray(filters)) for (const inner of Array.from(filters)) checkFilter(inner, depth + 1, count);
}

function invalidFilter(problem: string): ClientError {
  return ownError('invalid_filter', `filter: ${problem}`);
}

import type { CommandKind, Commands } from '../protocol/client-frames.ts';
import type { Filter, PublishFields } from '../protocol/frames.ts';
import { isPlain } from '../protocol/json/faithful.ts';
import { maxFieldLengths } from '../protocol/publish-limits.ts';
import { isWellFormed } from '../protocol/utf8.ts';
import { checkedFields } from './check.ts';
import { type ClientError, ownError } from './client-error.ts';
import { payloadOf } from './payload.ts';
import type { PublishOptions } from './publication.ts';
import type { SubscribeOptions } from './subscriptions/subscribe-options.ts';
import { clientFrame, serverFrame, subscriptionFields } from './wire/tables.ts';

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
  const copied = {
    ...options,
    since: many ? many.map((each) => ({ ...each })) : begin && { ...begin },
    keys: options.keys && checkedKeys(options.keys),
  };
  return {
    topic: checked['topic'] as string,
    options: { ...copied, filter: filter && checkedFilter(filter, 0, { nodes: 0 }) },
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

/** What an operator takes beside a tag, or in its place; nothing: a tag alone. */
const operands: Readonly<Record<Filter['op'], 'value' | 'values' | 'number' | 'filters' | ''>> = {
  eq: 'value',
  prefix: 'value',
  in: 'values',
  exists: '',
  lt: 'number',
  lte: 'number',
  gt: 'number',
  gte: 'number',
  and: 'filters',
  or: 'filters',
  not: 'filters',
};

const isOperand = {
  value: isText,
  values: (value: unknown) => Array.isArray(value) && Array.from(value).every(isText),
  number: Number.isFinite,
  filters: Array.isArray,
} as const satisfies Readonly<Record<string, (value: unknown) => boolean>>;

function isText(value: unknown): value is string {
  return typeof value === 'string' && isWellFormed(value);
}

/** Returns a copy of what counts of it. */
function checkedFilter(filter: unknown, depth: number, count: { nodes: number }): Filter {
  const parts = (typeof filter === 'object' && filter !== null ? filter : {}) as Record<string, unknown>;
  const { op, tag } = parts;
  if (typeof op !== 'string' || !Object.hasOwn(operands, op)) throw invalidFilter('no such op');
  if (depth > deepest || ++count.nodes > mostNodes) throw invalidFilter('too large');
  const name = operands[op as Filter['op']];
  const operand = parts[name];
  if ((name && !isOperand[name](operand)) || (name !== 'filters' && !isText(tag)))
    throw invalidFilter(`an operand of "${op}" is missing or wrong`);
  if (!Array.isArray(operand)) return { op, tag, [name]: operand } as unknown as Filter;
  const list = Array.from(operand as unknown[]);
  if (name === 'values') return { op, tag, values: list } as Filter;
  return { op, filters: list.map((inner) => checkedFilter(inner, depth + 1, count)) } as Filter;
}

function invalidFilter(problem: string): ClientError {
  return ownError('invalid_filter', `filter: ${problem}`);
}

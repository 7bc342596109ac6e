import { lastInstantMs, maxUint32 } from '../protocol/fields.ts';
import { isPlain } from '../protocol/json/faithful.ts';
import { fieldMaxLengths, tagMaxLength, tagsMax } from '../protocol/publish-limits.ts';
import { canonicalTopic } from '../protocol/user-topics.ts';
import { ownError } from './client-error.ts';
import { checkedFilter, isText } from './filter-check.ts';
import type { Raw } from './wire/parse.ts';
import { defaults, maxInteger, unlessAbsent } from './wire/read.ts';
import type { Field } from './wire/tables.ts';

const textMaxLength = 1024;

/** In characters, by the name of the field. */
const textMaxLengths: Readonly<Record<string, number>> = {
  ...fieldMaxLengths,
  keys: fieldMaxLengths.key,
  tags: tagMaxLength,
  token: 16_384,
};

/** The largest whole number, by the type of the field. */
const largestNumbers: Readonly<Record<string, number>> = {
  U: maxUint32,
  I: lastInstantMs,
  P: maxInteger,
  N: maxInteger,
  n: maxInteger,
};

/**
 * Copies the fields of a command and checks them as the gateway does, so that nothing is sent that it would refuse.
 * Payloads are not copied: the client made them. Throws `invalid_request` or `invalid_filter`.
 */
export function checkedFields(fields: readonly Field[], values: Raw): Raw {
  const checked: Raw = {};
  for (const field of fields) {
    const { name, type, isList, oneOf } = field;
    const value = values[name] ?? undefined;
    if (oneOf) checked[oneOf] = values[oneOf];
    else if (value === undefined) checked[name] = isList ? value : absent(name, type);
    else if (type === 't') checked[name] = checkedTags(name, value);
    else checked[name] = isList ? checkedList(field, value) : checkedOne(field, value);
  }
  return checked;
}

function absent(name: string, type: string): unknown {
  return type === 'r' ? fail(name, 'there') : defaults[type];
}

function checkedList(field: Field, list: unknown): unknown {
  if (!Array.isArray(list)) fail(field.name, 'an array');
  // A hole or null in the list is refused, like a number in place of an object or a text.
  return Array.from(list, (one: unknown) => checkedOne(field, one ?? 0));
}

function checkedOne({ name, type, fields }: Field, value: unknown): unknown {
  if (type === 'filter') return checkedFilter(value);
  if (!fields) return checkedValue(name, type, value);
  if (typeof value !== 'object') fail(name, 'an object');
  return checkedFields(fields, value as Raw);
}

function checkedValue(name: string, type: string, value: unknown): unknown {
  const max = largestNumbers[type];
  if (max !== undefined) {
    if (!(Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max))
      fail(name, `an integer from 0 to ${max}`);
  } else if (type === 'B') {
    if (typeof value !== 'boolean') fail(name, 'a boolean');
  } else {
    const maxLength = textMaxLengths[name] ?? textMaxLength;
    if (!isText(value) || value.length > maxLength || (type === 'r' && !value))
      fail(name, `a string of at most ${maxLength} characters`);
    if (name === 'topic') return canonicalTopic(value);
  }
  return unlessAbsent(type, value);
}

function checkedTags(name: string, tags: unknown): unknown {
  const entries = isPlain(tags as object) ? Object.entries(tags as Raw) : fail(name, 'a plain object');
  if (entries.length > tagsMax) fail(name, `at most ${tagsMax}`);
  for (const [tag, text] of entries) {
    checkedValue(name, 'r', tag);
    checkedValue(name, 's', text);
  }
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

function fail(name: string, what: string): never {
  throw ownError('invalid_request', `${name} must be ${what}`);
}

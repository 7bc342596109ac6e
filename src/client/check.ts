import { isPlain } from '../protocol/json/faithful.ts';
import { fieldMaxLengths, tagMaxLength, tagsMax } from '../protocol/publish-limits.ts';
import { canonicalTopic } from '../protocol/user-topics.ts';
import { localError } from './client-error.ts';
import { checkedFilter, isText } from './filter-check.ts';
import { keysMax, textMaxLength } from './limits.ts';
import type { Raw } from './wire/parse.ts';
import type { Field } from './wire/tables.ts';

/** In characters, by the name of the field. */
const textMaxLengths: Readonly<Record<string, number>> = {
  ...fieldMaxLengths,
  keys: fieldMaxLengths.key,
  tags: tagMaxLength,
  token: 16_384,
};

/**
 * Copies the fields of a command and checks them as the gateway does, so that nothing is sent that it would refuse.
 * Payloads are not copied: the client made them. Throws `invalid_request` or `invalid_filter`.
 */
export function checkedFields(fields: readonly Field[], values: Raw): Raw {
  const checked: Raw = {};
  for (const field of fields) {
    const { name, type, isList, oneOf, standard } = field;
    const value = values[name] ?? standard;
    if (oneOf) checked[oneOf] = values[oneOf];
    else if (value === undefined) checked[name] = value;
    else if (type === 't') checked[name] = checkedTags(field, value);
    else checked[name] = isList ? checkedList(field, value) : checkedOne(field, value);
  }
  return checked;
}

function checkedList(field: Field, list: unknown): unknown {
  const { name } = field;
  if (!Array.isArray(list)) fail(name);
  if (name === 'keys' && !(list.length > 0 && list.length <= keysMax)) fail(name, `1 to ${keysMax}`);
  // A hole or null in the list is refused, like a number in place of an object or a text.
  return Array.from(list, (one: unknown) => checkedOne(field, one ?? 0));
}

function checkedOne(field: Field, value: unknown): unknown {
  const { name, type, fields } = field;
  if (type === 'filter') return checkedFilter(value);
  if (!fields) return checkedValue(field, value);
  if (typeof value !== 'object') fail(name);
  return checkedFields(fields, value as Raw);
}

/** Of a field that is no text and has no `max`: a boolean. */
export function checkedValue(
  { name, type, max, isText: isOfText, isOptional }: Partial<Field> & Pick<Field, 'name'>,
  value: unknown,
): unknown {
  if (isOfText) {
    const maxLength = textMaxLengths[name] ?? textMaxLength;
    if (!isText(value) || value.length > maxLength || (type === 'r' && !value))
      fail(name, `a string of at most ${maxLength} characters`);
    if (name === 'topic') return canonicalTopic(value);
  } else if (max === undefined) {
    if (typeof value !== 'boolean') fail(name);
  } else if (!(Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max))
    fail(name, `an integer from 0 to ${max}`);
  return isOptional ? value || undefined : value;
}

function checkedTags({ name, fields = [] }: Field, tags: unknown): unknown {
  const entries = isPlain(tags as object) ? Object.entries(tags as Raw) : fail(name);
  if (entries.length > tagsMax) fail(name, `at most ${tagsMax}`);
  const checked = entries.map((pair) =>
    pair.map((text, i) => checkedValue({ ...(fields[i] as Field), name }, text)),
  );
  return checked.length > 0 ? Object.fromEntries(checked) : undefined;
}

function fail(name: string, what = 'of its type'): never {
  throw localError('invalid_request', `${name} must be ${what}`);
}

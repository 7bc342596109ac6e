import { maxInstantMs, maxUint32 } from '../protocol/fields.ts';
import { maxFieldLengths, maxTagLength, maxTags } from '../protocol/publish-limits.ts';
import { canonicalTopic } from '../protocol/user-topics.ts';
import { isWellFormed } from '../protocol/utf8.ts';
import { ownError } from './client-error.ts';
import type { Raw } from './wire/parse.ts';
import type { Field } from './wire/tables.ts';

const maxTextLength = 1024;

/** By the name of the field. */
const maxLengths: Readonly<Record<string, number>> = {
  ...maxFieldLengths,
  tags: maxTagLength,
  token: 16_384,
};

/** Where a whole number ends, by the type of the field. Both 0 and absence are absence in capitals, but for N. */
const maxNumbers: Readonly<Record<string, number>> = {
  U: maxUint32,
  I: maxInstantMs,
  P: Number.MAX_SAFE_INTEGER,
  N: Number.MAX_SAFE_INTEGER,
  n: Number.MAX_SAFE_INTEGER,
};

/**
 * The fields of a command, judged as the gateway does: what it would refuse is not worth sending. Lists are the
 * client's own, and so are payloads and filters. Throws `invalid_request`.
 */
export function checkedFields(fields: readonly Field[], values: Raw): Raw {
  const checked: Raw = {};
  for (const { name, type, many, fields: inner } of fields) {
    const value = values[name] ?? undefined;
    if (inner && value !== undefined && !isRecord(value)) fail(name, 'must be an object');
    if (type === 'j' || type === 'J') checked['payload'] = values['payload'];
    else if (many === '*' || type === 'filter') checked[name] = value;
    else if (inner) checked[name] = value && checkedFields(inner, value as Raw);
    else checked[name] = checkedValue(name, type, value);
  }
  return checked;
}

function checkedValue(name: string, type: string, value: unknown): unknown {
  const max = maxNumbers[type];
  if (max !== undefined) {
    if (
      !(
        value === undefined ||
        (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max)
      )
    )
      fail(name, `must be an integer from 0 to ${max}`);
    return type === 'n' ? (value ?? 0) : type === 'N' ? value : value || undefined;
  }
  if (type === 'B') {
    if (value !== undefined && typeof value !== 'boolean') fail(name, 'must be true or false');
    return value || undefined;
  }
  if (type === 't') return checkedTags(name, value);
  if (type === 'd') return value || undefined;
  return checkedText(name, type, value);
}

function checkedText(name: string, type: string, value: unknown): string | undefined {
  const text = value === undefined && type !== 'r' ? '' : value;
  const max = maxLengths[name] ?? maxTextLength;
  if (typeof text !== 'string' || text.length > max || !isWellFormed(text) || (type === 'r' && !text))
    fail(name, `must be a string of at most ${max} characters`);
  if (type === 's') return text;
  return (name === 'topic' ? canonicalTopic(text) : text) || undefined;
}

function checkedTags(name: string, value: unknown): unknown {
  if (value === undefined) return undefined;
  if (!isRecord(value) || Object.keys(value).length > maxTags)
    fail(name, `must be an object of at most ${maxTags} strings`);
  for (const [tag, text] of Object.entries(value)) {
    checkedText(name, 'r', tag);
    checkedText(name, 's', text ?? null);
  }
  return Object.keys(value).length > 0 ? value : undefined;
}

function isRecord(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fail(name: string, problem: string): never {
  throw ownError('invalid_request', `${name} ${problem}`);
}

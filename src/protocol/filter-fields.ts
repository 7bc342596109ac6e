import type { Fields } from './fields.ts';
import type { Filter } from './frames.ts';
import { isWellFormed } from './utf8.ts';

export const filterMaxDepth = 8;
export const filterMaxNodes = 64;

/** A filter with all that is below it. Its faults are `invalid_filter`. */
export function readFilter(fields: Fields): Filter {
  return node(fields, 1, { nodes: 0 });
}

const nothing: Filter = { op: 'exists', tag: '' };

function node(fields: Fields, depth: number, count: { nodes: number }): Filter {
  count.nodes++;
  if (depth > filterMaxDepth) return invalid(fields, 'op', `is more than ${filterMaxDepth} levels deep`);
  if (count.nodes > filterMaxNodes) return invalid(fields, 'op', `is one of more than ${filterMaxNodes}`);
  const op = fields.dialect.operator(fields.raw['op']);
  switch (op) {
    case 'eq':
    case 'prefix':
      return { op, tag: tag(fields), value: oneValue(fields) };
    case 'in': {
      const values = texts(fields);
      if (values.length === 0) return invalid(fields, 'values', 'must not be empty');
      return { op, tag: tag(fields), values };
    }
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      return { op, tag: tag(fields), number: fields.number('number', 'invalid_filter') };
    case 'exists':
      return { op, tag: tag(fields) };
    case 'and':
    case 'or':
    case 'not': {
      // One at a time, so that a hostile list ends at the limit.
      const entries = fields.raw['filters'];
      const length = Array.isArray(entries) ? entries.length : 0;
      if (length === 0) return invalid(fields, 'filters', 'must not be empty');
      if (op === 'not' && length !== 1) return invalid(fields, 'filters', 'of "not" must be one');
      if (length > filterMaxNodes) return invalid(fields, 'filters', `may be ${filterMaxNodes} at most`);
      return { op, filters: fields.list('filters', (inner) => node(inner, depth + 1, count)) };
    }
    default:
      return invalid(fields, 'op', 'is no operator');
  }
}

function invalid(fields: Fields, name: string, problem: string): Filter {
  fields.fail(name, problem, 'invalid_filter');
  return nothing;
}

function tag(fields: Fields): string {
  const value = fields.raw['tag'];
  if (isText(value, fields.bounds.text) && value !== '') return value;
  fields.fail('tag', `must be a string of 1 to ${fields.bounds.text} characters`, 'invalid_filter');
  return '';
}

/** In JSON `value`; in protobuf the only one of `values`. */
function oneValue(fields: Fields): string {
  const value = fields.raw['value'] ?? only(texts(fields));
  if (isText(value, fields.bounds.text)) return value;
  fields.fail('value', `must be a string of at most ${fields.bounds.text} characters`, 'invalid_filter');
  return '';
}

function only(values: readonly string[]): string | undefined {
  return values.length === 1 ? values[0] : undefined;
}

function texts(fields: Fields): readonly string[] {
  const values = fields.raw['values'];
  if (values === undefined || values === null) return [];
  const { text, list } = fields.bounds;
  const fit = (value: unknown) => isText(value, text);
  if (Array.isArray(values) && values.length <= list && values.every(fit)) return values as string[];
  fields.fail('values', `must be at most ${list} strings of at most ${text} characters`, 'invalid_filter');
  return [];
}

/** Half of a surrogate pair would be another text once it was written. */
function isText(value: unknown, max: number): value is string {
  return typeof value === 'string' && value.length <= max && isWellFormed(value);
}

import type { Filter } from '../protocol/frames.ts';
import { isWellFormed } from '../protocol/utf8.ts';
import { ownError } from './client-error.ts';
import { operands } from './wire/operators.ts';

/**
 * Far above what a gateway takes: more has only a filter that holds itself, or the same part again and again.
 */
const deepest = 100;
const mostNodes = 10_000;

const isOperand: Readonly<Record<string, (value: unknown) => boolean>> = {
  value: isText,
  values: (value) => Array.isArray(value) && Array.from(value).every(isText),
  number: Number.isFinite,
  filters: Array.isArray,
  '': () => true,
};

/**
 * Returns a copy of what counts of it. Filters that are well typed, yet too deep or without values, are for the gateway
 * to refuse. Throws `invalid_filter`.
 */
export function checkedFilter(filter: unknown, depth = 0, count = { nodes: 0 }): Filter {
  const { op, tag, ...rest } = Object(filter) as Record<string, unknown>;
  const name = operands.get(op);
  const operand = rest[name ?? ''];
  if (
    name === undefined ||
    !isOperand[name]?.(operand) ||
    (name !== 'filters' && !isText(tag)) ||
    depth > deepest ||
    ++count.nodes > mostNodes
  )
    throw ownError('invalid_filter', `filter: no such op, or a wrong operand: ${String(op)}`);
  const checked = (one: unknown) => (name === 'filters' ? checkedFilter(one, depth + 1, count) : one);
  return {
    op,
    tag: name === 'filters' ? undefined : tag,
    [name]: Array.isArray(operand) ? Array.from(operand, checked) : operand,
  } as unknown as Filter;
}

/** A text that UTF-8 can write. */
export function isText(value: unknown): value is string {
  return typeof value === 'string' && isWellFormed(value);
}

import type { Filter } from '../protocol/frames.ts';
import { isWellFormed } from '../protocol/utf8.ts';
import { localError } from './client-error.ts';
import { filterMaxNodes } from './limits.ts';
import { operands } from './wire/operators.ts';

const isOperand: Readonly<Record<string, (value: unknown) => boolean>> = {
  value: isText,
  values: (value) => Array.isArray(value) && Array.from(value).every(isText),
  number: Number.isFinite,
  filters: Array.isArray,
  '': () => true,
};

/**
 * Returns a copy without unknown members. Filters that are well typed, but too deep or empty, are left to the gateway
 * to refuse. Throws `invalid_filter`.
 */
export function checkedFilter(filter: unknown, count = { nodes: 0 }): Filter {
  const { op, tag, ...rest } = Object(filter) as Record<string, unknown>;
  const name = operands.get(op);
  const operand = rest[name ?? ''];
  const hasParts = name === 'filters';
  if (
    name === undefined ||
    !isOperand[name]?.(operand) ||
    !(hasParts || isText(tag)) ||
    ++count.nodes > filterMaxNodes
  )
    throw localError('invalid_filter', `wrong op or operand in the filter: ${String(op)}`);
  const checked = (one: unknown) => (hasParts ? checkedFilter(one, count) : one);
  return {
    op,
    tag: hasParts ? undefined : tag,
    [name]: Array.isArray(operand) ? Array.from(operand, checked) : operand,
  } as unknown as Filter;
}

/** A string that UTF-8 can encode: without lone surrogates. */
export function isText(value: unknown): value is string {
  return typeof value === 'string' && isWellFormed(value);
}

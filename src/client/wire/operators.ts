/**
 * The operators of filters, in the order of their numbers, from 1. Each with the member that has its operand beside a
 * tag, or `filters` in place of one; `exists` needs a tag alone.
 */
export const operands: ReadonlyMap<unknown, string> = new Map(
  'eq:value in:values prefix:value lt:number lte:number gt:number gte:number exists: and:filters or:filters not:filters'
    .split(' ')
    .map((row) => row.split(':') as [string, string]),
);

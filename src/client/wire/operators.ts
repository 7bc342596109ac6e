/**
 * The operators of filters in the order of their numbers, from 1. Each has the member that holds its operand. `filters`
 * takes the place of a tag, and `exists` has only a tag.
 */
export const operands: ReadonlyMap<unknown, string> = new Map(
  'eq:value in:values prefix:value lt:number lte:number gt:number gte:number exists: and:filters or:filters not:filters'
    .split(' ')
    .map((row) => row.split(':') as [string, string]),
);

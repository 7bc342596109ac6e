import type { z } from 'zod';

/**
 * What is wrong with a value that a schema refuses; reads on after the path of the member. For faults that a person
 * sees: `schema.safeParse(value, { error: schemaWords })`. Messages that a schema gives itself take precedence.
 */
export function schemaWords(issue: z.core.$ZodRawIssue): string {
  const say = words[issue.code] as ((issue: z.core.$ZodRawIssue) => string) | undefined;
  return say?.(issue) ?? 'is not valid';
}

const kinds: Readonly<Record<string, string>> = {
  int: 'an integer',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};
const formats: Readonly<Record<string, string>> = {
  datetime: 'must be a point in time, like 2026-11-22T01:40:24.265Z',
  base64: 'must be bytes in base64',
};
const parts: Readonly<Record<string, string>> = { string: 'characters', array: 'entries' };

type Issue<C> = Extract<z.core.$ZodIssue, { readonly code: C }>;
type Words = { readonly [C in z.core.$ZodIssueCode]?: (issue: Issue<C>) => string };

const words: Words = {
  invalid_type: ({ expected, input }) =>
    input === undefined ? 'is missing' : `must be ${kinds[expected] ?? `a ${expected}`}`,
  invalid_value: ({ values }) => `must be ${values.length > 1 ? 'one of ' : ''}${values.join(', ')}`,
  too_small: ({ origin, minimum, inclusive }) => {
    if (origin in parts) return minimum === 1 ? 'is empty' : `needs at least ${minimum} ${parts[origin]}`;
    return `must be ${inclusive ? 'at least' : 'more than'} ${minimum}`;
  },
  too_big: ({ origin, maximum }) =>
    origin in parts ? `may have ${maximum} ${parts[origin]} at most` : `must be at most ${maximum}`,
  invalid_format: ({ format }) => formats[format] ?? 'has the wrong form',
  unrecognized_keys: () => 'has members that are not known here',
  invalid_key: ({ issues: [issue] }) => `the name ${issue?.message}`,
  invalid_union: ({ errors }) => [...new Set(errors.map(([issue]) => issue?.message))].join(', or '),
};

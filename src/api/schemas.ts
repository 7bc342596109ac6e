import { z } from 'zod';
import { topicNameMaxLength } from '../topics/topic-name.ts';

/** Named schemas: components of the OpenAPI document. */
export const components = z.registry<{ readonly id: string }>();

export function component<T extends z.ZodType>(id: string, schema: T): T {
  components.add(schema, { id });
  return schema;
}

/** A text that is not empty. */
export function text(max: number): z.ZodString {
  return z.string().min(1).max(max);
}

/** A whole number in a query. */
export function wholeNumber(min: number, max: number) {
  return z
    .string()
    .regex(/^\d{1,16}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(min).max(max));
}

const pageMax = 1000;
/** Subscriptions of all connections of a page: each is a part of the response. */
export const pageSubscriptionsMax = 10_000;
export const limit = wholeNumber(1, pageMax)
  .default(100)
  .describe(`Maximum number of entries, at most ${pageMax}.`);
export const after = z.string().default('').describe('`next` of the previous page.');
export const next = z
  .string()
  .optional()
  .describe('Pass it as `after` for the next page. Absent on the last one.');

export const offset = z.int().min(0).describe('1, 2, 3 …; 0 before the first publication.');
export const epoch = z
  .string()
  .describe('Identity of the numbering of offsets; empty before the first publication.');
export const instant = z.iso.datetime({ offset: true });
export const topicName = text(topicNameMaxLength);

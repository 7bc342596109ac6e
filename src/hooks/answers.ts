import { z } from 'zod';
import { topicActions } from '../auth/identity.ts';
import { userProblem } from '../auth/permissions.ts';
import { clientBounds } from '../protocol/client-frames.ts';
import { Fields } from '../protocol/fields.ts';
import { readFilter } from '../protocol/filter-fields.ts';
import type { Filter } from '../protocol/frames.ts';
import { jsonDialect } from '../protocol/json/codec.ts';
import { jsonPayloadProblem } from '../protocol/payload.ts';
import { withoutByteOrderMark } from '../protocol/utf8.ts';
import { filterProblem } from '../topics/filter.ts';
import { isReserved, nameProblem, topicProblem } from '../topics/topic-name.ts';
import { HookFailure } from './failure.ts';

/** The longest reason that a client is told. */
const reasonMaxLength = 200;
const listMax = 100;

const denial = z.strictObject({
  allow: z.literal(false),
  // Control characters would reach logs and terminals.
  reason: z
    .string()
    .transform((reason) => reason.replace(/\p{C}/gu, ' ').slice(0, reasonMaxLength))
    .optional(),
});
const topic = z.string().refine((name) => topicProblem(name) === undefined && !isReserved(name));
const pattern = z.string().refine((name) => nameProblem(name) === undefined);

const connectConsent = z.strictObject({
  allow: z.literal(true),
  user: z
    .string()
    .refine((name) => userProblem(name) === undefined)
    .optional(),
  topics: z.array(topic).max(listMax).optional(),
  permissions: z
    .array(z.strictObject({ pattern, allow: z.array(z.enum(topicActions)) }))
    .max(listMax)
    .optional(),
});
const subscribeConsent = z.strictObject({
  allow: z.literal(true),
  grant: z.boolean().optional(),
  filter: z.unknown().transform(filterOf).optional(),
});
const publishConsent = z.strictObject({ allow: z.literal(true) });
const callAnswer = z.strictObject({ data: z.unknown() });

export const answerSchemas = {
  connect: z.union([connectConsent, denial]),
  subscribe: z.union([subscribeConsent, denial]),
  publish: z.union([publishConsent, denial]),
  call: z.union([callAnswer, denial]),
};

/** Checks a filter as the subscribe command does. */
function filterOf(value: unknown, context: z.RefinementCtx): Filter | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = new Fields({ filter: value }, jsonDialect, clientBounds, {});
  const filter = fields.child('filter', readFilter);
  if (fields.fault === undefined && filterProblem(filter) === undefined) return filter;
  context.addIssue({ code: 'custom', message: 'is no filter' });
  return z.NEVER;
}

/**
 * Reads the answer to one question. Throws a `HookFailure` if it is malformed. The error names fields and never quotes
 * values.
 */
export function readAnswer<S extends z.ZodType>(schema: S, answer: unknown): z.output<S> {
  const result = schema.safeParse(answer);
  if (result.success) return result.data;
  throw new HookFailure('malformed', 'its answer is not of the documented form');
}

/** Reads the answers to `count` questions: one for each, or one for all. */
export function readAnswers<S extends z.ZodType>(schema: S, answer: unknown, count: number): z.output<S>[] {
  if (typeof answer !== 'object' || answer === null || !('results' in answer))
    return Array.from({ length: count }, () => readAnswer(schema, answer));
  const { results } = answer;
  if (!Array.isArray(results) || results.length !== count)
    throw new HookFailure('malformed', 'it answered another number of results than it was asked');
  return results.map((each) => readAnswer(schema, each));
}

/**
 * Reads the body of an answer, without a byte order mark. Throws a `HookFailure` if a member occurs twice, because
 * another reader may take the other one for the decision.
 */
export function readBody(body: Uint8Array): Uint8Array {
  const text = withoutByteOrderMark(body);
  if (jsonPayloadProblem(text) === undefined) return text;
  throw new HookFailure('malformed', 'its answer is not JSON in UTF-8, without duplicate members');
}

export function parseJson(body: Uint8Array): unknown {
  return JSON.parse(Buffer.from(readBody(body)).toString());
}

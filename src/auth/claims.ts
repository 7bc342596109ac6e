import { z } from 'zod';
import { clientBounds } from '../protocol/client-frames.ts';
import { Fields } from '../protocol/fields.ts';
import { readFilter } from '../protocol/filter-fields.ts';
import type { Filter } from '../protocol/frames.ts';
import { jsonDialect } from '../protocol/json/codec.ts';
import { canonicalTopic } from '../protocol/user-topics.ts';
import { schemaWords } from '../schema-words.ts';
import { isReserved, nameProblem } from '../topics/topic-name.ts';
import { type TopicAction, topicActions } from './identity.ts';
import { userProblem } from './permissions.ts';

const permissionsMax = 1000;

/** What a revocation can name. */
const tokenIdMaxLength = 200;

const targetSchema = z
  .string()
  .transform(canonicalTopic)
  .superRefine((pattern, context) => {
    const problem = targetProblem(pattern);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });

function targetProblem(target: string): string | undefined {
  if (isReserved(target)) return 'names that begin with "$" cannot be granted';
  return nameProblem(target);
}

const filterSchema = z.unknown().transform((value, context): Filter => {
  const fields = new Fields({ filter: value }, jsonDialect, clientBounds, {});
  const filter = fields.child('filter', readFilter);
  if (fields.fault !== undefined) context.addIssue({ code: 'custom', message: fields.fault.message });
  return filter;
});

const permissionSchema = z.strictObject({
  pattern: targetSchema,
  allow: z.array(z.enum(topicActions)),
});

/** Other claims are ignored. Without `sub` the token grants topics to its bearer, who has no name. */
const claimsSchema = z.object({
  sub: z
    .string()
    .superRefine((sub, context) => {
      const problem = userProblem(sub);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
    })
    .optional(),
  exp: z.number().optional(),
  nbf: z.number().optional(),
  iat: z.number().optional(),
  jti: z.string().max(tokenIdMaxLength).optional(),
  /** Makes it a topic token: for a subscription to this topic or pattern, and for nothing else. */
  topic: targetSchema.optional(),
  /** In a topic token: only publications whose tags match. */
  filter: filterSchema.optional(),
  topics: z.array(permissionSchema).max(permissionsMax).default([]),
});

export type Claims = z.infer<typeof claimsSchema>;

/** Returns the claims, or what is wrong with the first that is: its name and a sentence. */
export function readClaims(payload: unknown): Claims | { readonly problem: string } {
  const claims = claimsSchema.safeParse(payload, { error: schemaWords });
  if (claims.success) return claims.data;
  const [issue] = claims.error.issues;
  return { problem: `${issue?.path.join('.')}: ${issue?.message}` };
}

/**
 * The claims of a token that is as most are, without the schema, which takes as long as the signature
 * (`bench -- handshakes`). Undefined: `readClaims` says what they are, or what is wrong.
 */
export function plainClaims(payload: Readonly<Record<string, unknown>>): Claims | undefined {
  const { sub, exp, nbf, iat, jti, topic, filter, topics = [] } = payload;
  if (topic !== undefined || filter !== undefined) return undefined;
  if (!isNumberOrNone(exp) || !isNumberOrNone(nbf) || !isNumberOrNone(iat)) return undefined;
  if (!isTextOrNone(sub) || (sub !== undefined && userProblem(sub) !== undefined)) return undefined;
  if (!isTextOrNone(jti) || (jti?.length ?? 0) > tokenIdMaxLength) return undefined;
  if (!Array.isArray(topics) || topics.length > permissionsMax) return undefined;
  const permissions: Claims['topics'] = [];
  for (const each of topics as unknown[]) {
    const permission = plainPermission(each);
    if (permission === undefined) return undefined;
    permissions.push(permission);
  }
  return { sub, exp, nbf, iat, jti, topics: permissions };
}

function isNumberOrNone(value: unknown): value is number | undefined {
  return value === undefined || Number.isFinite(value);
}

function isTextOrNone(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

function plainPermission(value: unknown): Claims['topics'][number] | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { pattern, allow, ...others } = value as Record<string, unknown>;
  if (typeof pattern !== 'string' || !isActions(allow) || Object.keys(others).length > 0) return undefined;
  const target = canonicalTopic(pattern);
  return targetProblem(target) === undefined ? { pattern: target, allow } : undefined;
}

function isActions(value: unknown): value is TopicAction[] {
  return Array.isArray(value) && value.every((action) => topicActions.includes(action as TopicAction));
}

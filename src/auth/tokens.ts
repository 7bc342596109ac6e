import { errors, jwtVerify } from 'jose';
import { z } from 'zod';
import { canonicalTopic } from '../protocol/user-topics.ts';
import {
  isPattern,
  isReserved,
  patternProblem,
  topicNameMaxLength,
  topicProblem,
} from '../topics/topic-name.ts';
import { type Identity, topicActions } from './identity.ts';
import { userProblem } from './permissions.ts';
import { digestOf, VerifiedTokens } from './verified-tokens.ts';

export type TokenResult =
  | { readonly ok: true; readonly identity: Identity }
  | {
      readonly ok: false;
      readonly code: 'unauthorized' | 'token_expired' | 'token_not_yet_valid';
      /** For the client. Never holds any part of the token. */
      readonly message: string;
      /** `sub`, where the signature was right. For the log. */
      readonly user?: string;
      /** The number of milliseconds after which it may be valid. */
      readonly retryAfterMs?: number;
    };

export interface TokenVerifier {
  /** Returns at once where the token was verified before. Never rejects. */
  verify(token: string): TokenResult | Promise<TokenResult>;
}

const permissionsMax = 1000;

/** 9999-12-31T23:59:59.999Z: the last instant that the protocol can express. */
const lastInstantMs = 253_402_300_799_999;

const permissionSchema = z.strictObject({
  pattern: z
    .string()
    .transform(canonicalTopic)
    .superRefine((pattern, context) => {
      const problem = isReserved(pattern)
        ? 'names that begin with "$" cannot be granted'
        : isPattern(pattern)
          ? patternProblem(pattern)
          : topicProblem(pattern);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
    }),
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
  topics: z.array(permissionSchema).max(permissionsMax).default([]),
});

/** Enough for 10 000 tokens of 300 characters: the default of `maxConnections`. */
const verifiedMaxBytes = 8 * 1024 * 1024;

/** How far an issuer's clock may be ahead of this machine's, so that a new token is valid at once. */
const issuerAheadMaxMs = 5_000;
const retryAfterMaxMs = 60_000;

/** Verifies tokens signed with HS256 and this secret. `nowMs`: milliseconds since 1970. */
export function tokenVerifier(secret: string, nowMs: () => number = Date.now): TokenVerifier {
  // Given the bytes, jose would import them again for each token: half of what verifying one costs (`bench -- storm`).
  const key = crypto.subtle.importKey(
    'raw',
    new TextEncoder().encode(secret),
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['verify'],
  );
  const verified = new VerifiedTokens(verifiedMaxBytes);
  async function verify(token: string, digest: string, atMs = nowMs()): Promise<TokenResult> {
    try {
      const options = { algorithms: ['HS256'], currentDate: new Date(atMs) };
      const { payload } = await jwtVerify(token, await key, options);
      const result = readClaims(payload);
      if (result.ok) verified.add(digest, token.length, result.identity);
      return result;
    } catch (error) {
      if (error instanceof errors.JWTExpired) {
        const user = userOf(error.payload);
        return { ok: false, code: 'token_expired', message: 'the token has expired', user };
      }
      const notBeforeMs = startOf(error);
      if (notBeforeMs > atMs) {
        const aheadMs = notBeforeMs - issuerAheadMaxMs - nowMs();
        return aheadMs <= 0 ? verify(token, digest, notBeforeMs) : notYet(aheadMs, error);
      }
      const user = error instanceof errors.JWTClaimValidationFailed ? userOf(error.payload) : undefined;
      return { ok: false, code: 'unauthorized', message: refusal(error), user };
    }
  }
  return {
    verify(token) {
      const digest = digestOf(token);
      const identity = verified.find(digest, nowMs());
      return identity === undefined ? verify(token, digest) : { ok: true, identity };
    },
  };
}

/** `nbf`, in milliseconds, where a signed token was refused for it alone; otherwise 0. */
function startOf(error: unknown): number {
  if (!(error instanceof errors.JWTClaimValidationFailed) || error.claim !== 'nbf') return 0;
  const { nbf } = error.payload;
  return error.reason === 'check_failed' && typeof nbf === 'number' ? Math.ceil(nbf * 1000) : 0;
}

function notYet(aheadMs: number, error: unknown): TokenResult {
  const user = error instanceof errors.JWTClaimValidationFailed ? userOf(error.payload) : undefined;
  const retryAfterMs = Math.min(aheadMs, retryAfterMaxMs);
  return {
    ok: false,
    code: 'token_not_yet_valid',
    message: 'the token is not valid yet',
    user,
    retryAfterMs,
  };
}

function refusal(error: unknown): string {
  if (error instanceof errors.JWTClaimValidationFailed) {
    return `the token is not valid now: its claim ${error.claim}`;
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return 'the token must be signed with HS256';
  return 'the token is malformed, or not signed with the gateway’s secret';
}

/** Cut to the length of a topic's name. */
function userOf(payload: unknown): string | undefined {
  const { sub } = payload as { readonly sub?: unknown };
  return typeof sub === 'string' ? sub.slice(0, topicNameMaxLength) : undefined;
}

function readClaims(payload: unknown): TokenResult {
  const claims = claimsSchema.safeParse(payload);
  if (!claims.success) {
    const [issue] = claims.error.issues;
    const message = `the token’s claim ${issue?.path.join('.')}: ${issue?.message}`;
    return { ok: false, code: 'unauthorized', message, user: userOf(payload) };
  }
  const { sub, exp, topics } = claims.data;
  return {
    ok: true,
    identity: {
      user: sub,
      permissions: topics,
      expiresAtMs: exp === undefined ? undefined : Math.min(Math.floor(exp * 1000), lastInstantMs),
      scopes: [],
    },
  };
}

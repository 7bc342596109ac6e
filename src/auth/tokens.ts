import { errors, type JWTPayload, type JWTVerifyOptions, jwtVerify } from 'jose';
import { lastInstantMs } from '../protocol/integers.ts';
import { topicNameMaxLength } from '../topics/topic-name.ts';
import { plainClaims, readClaims } from './claims.ts';
import type { Identity } from './identity.ts';
import { type ClaimsOptions, signedClaims, verifyClaims } from './secret-tokens.ts';
import { NoKeys, type TokenAlgorithm, type TokenKeys } from './token-keys.ts';
import { digestOf, VerifiedTokens } from './verified-tokens.ts';

export type TokenResult =
  | { readonly ok: true; readonly identity: Identity }
  | {
      readonly ok: false;
      readonly code: 'unauthorized' | 'token_expired' | 'token_not_yet_valid' | 'token_keys_unavailable';
      /** For the client. Never holds any part of the token. */
      readonly message: string;
      /** `sub`, where the signature was right. For the log. */
      readonly user?: string;
      /** The number of milliseconds after which it may be valid. */
      readonly retryAfterMs?: number;
    };

export interface TokenVerifier {
  /** Returns at once where HS256 signs the token, or where it was verified before. Never rejects. */
  verify(token: string): TokenResult | Promise<TokenResult>;
}

/** Enough for 10 000 tokens of 300 characters: the default of `connectionsMax`. */
const verifiedMaxBytes = 8 * 1024 * 1024;

const retryAfterMaxMs = 60_000;

export interface TokenOptions {
  readonly keys: TokenKeys;
  /** A token whose header names another algorithm is refused. */
  readonly algorithms: readonly TokenAlgorithm[];
  /** The claim `iss` must be this; empty: it is not looked at. */
  readonly issuer: string;
  /** The claim `aud` must hold one of these; empty: it is not looked at. */
  readonly audience: readonly string[];
  /** How far the clocks of issuer and gateway may be apart: for `nbf` and `exp`. */
  readonly clockToleranceMs: number;
}

/** `nowMs`: milliseconds since 1970. */
export function tokenVerifier(options: TokenOptions, nowMs: () => number = Date.now): TokenVerifier {
  const { keys, algorithms, clockToleranceMs } = options;
  const claims = claimsOptions(options);
  const verified = new VerifiedTokens(verifiedMaxBytes);
  let revision = keys.revision;
  /** `verifiedBy`: the revision of the keys with which the verification began. */
  function accept(payload: JWTPayload, token: string, digest: string, verifiedBy: number): TokenResult {
    const result = resultOf(payload, clockToleranceMs);
    if (result.ok && verifiedBy === keys.revision) verified.add(digest, token.length, result.identity);
    return result;
  }
  const refuse = (error: unknown) => refusalOf(error, nowMs() + clockToleranceMs, algorithms);
  const find = (digest: string): TokenResult | undefined => {
    const identity = verified.find(digest, nowMs());
    return identity && { ok: true, identity };
  };
  /** Verifies a token that the secret signed. Undefined: the secret has not signed it. */
  function verifyNow(token: string, digest: string): TokenResult | undefined {
    if (keys.secret === undefined || !algorithms.includes('HS256')) return undefined;
    try {
      const signed = signedClaims(token, keys.secret);
      if (signed === undefined) return undefined;
      return accept(verifyClaims(signed, claims, nowMs()), token, digest, revision);
    } catch (error) {
      return refuse(error);
    }
  }
  async function verify(token: string, digest: string): Promise<TokenResult> {
    const verifiedBy = revision;
    try {
      const payload = await verifyPublished(token, keys, {
        ...claims,
        algorithms: [...algorithms],
        currentDate: new Date(nowMs()),
      });
      return accept(payload, token, digest, verifiedBy);
    } catch (error) {
      return refuse(error);
    }
  }
  return {
    verify(token) {
      // A token that a removed key signed must not be accepted because it was verified before.
      if (revision !== keys.revision) verified.clear();
      revision = keys.revision;
      const digest = digestOf(token);
      return find(digest) ?? verifyNow(token, digest) ?? verify(token, digest);
    },
  };
}

function claimsOptions({ issuer, audience, clockToleranceMs }: TokenOptions): ClaimsOptions {
  return {
    issuer: issuer === '' ? undefined : issuer,
    audience: audience.length === 0 ? undefined : [...audience],
    clockTolerance: clockToleranceMs / 1000,
  };
}

/** More keys than this that fit the header of one token are not tried: each takes as long as a signature. */
const candidatesMax = 10;

/** Several keys may fit: those of a file in PEM have no name, and issuers that replace a key may use a name twice. */
async function verifyPublished(
  token: string,
  keys: TokenKeys,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, (header) => keys.find(header), options)).payload;
  } catch (several) {
    if (!(several instanceof errors.JWKSMultipleMatchingKeys)) throw several;
    let tried = 0;
    for await (const key of several) {
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (error) {
        const isOfAnother = error instanceof errors.JWSSignatureVerificationFailed;
        if (!isOfAnother || ++tried === candidatesMax) throw error;
      }
    }
    throw several;
  }
}

/** `latestStartMs`: tokens whose `nbf` is later are not valid yet. */
function refusalOf(error: unknown, latestStartMs: number, algorithms: readonly string[]): TokenResult {
  if (error instanceof NoKeys) {
    return {
      ok: false,
      code: 'token_keys_unavailable',
      message: 'the keys of tokens could not be loaded yet',
    };
  }
  if (error instanceof errors.JWTExpired) return expired(error.payload);
  const aheadMs = startOf(error) - latestStartMs;
  if (aheadMs > 0) return notYet(aheadMs, error);
  const user = error instanceof errors.JWTClaimValidationFailed ? userOf(error.payload) : undefined;
  return { ok: false, code: 'unauthorized', message: refusal(error, algorithms), user };
}

function expired(payload: unknown): TokenResult {
  return { ok: false, code: 'token_expired', message: 'the token has expired', user: userOf(payload) };
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

function refusal(error: unknown, algorithms: readonly string[]): string {
  if (error instanceof errors.JWTClaimValidationFailed) {
    return `the token is not valid here or now: its claim ${error.claim}`;
  }
  if (error instanceof errors.JOSEAlgNotAllowed)
    return `the token must be signed with ${algorithms.join(' or ')}`;
  if (error instanceof errors.JWKSNoMatchingKey) return 'the token is signed with a key that is not known';
  return 'the token is malformed, or not signed with a key that the gateway trusts';
}

/** Cut to the length of a topic's name. */
function userOf(payload: unknown): string | undefined {
  const { sub } = payload as { readonly sub?: unknown };
  return typeof sub === 'string' ? sub.slice(0, topicNameMaxLength) : undefined;
}

function resultOf(payload: JWTPayload, clockToleranceMs: number): TokenResult {
  const claims = plainClaims(payload) ?? readClaims(payload);
  if ('problem' in claims) {
    const message = `the token’s claim ${claims.problem}`;
    return { ok: false, code: 'unauthorized', message, user: userOf(payload) };
  }
  const { sub, exp, nbf, iat, jti, topic, filter, topics } = claims;
  if (exp !== undefined && exp <= (nbf ?? Number.NEGATIVE_INFINITY)) return expired(payload);
  const expiresAtMs = exp === undefined ? undefined : Math.floor(exp * 1000) + clockToleranceMs;
  return {
    ok: true,
    identity: {
      user: sub,
      tokenId: jti,
      issuedAtMs: iat === undefined ? undefined : Math.floor(iat * 1000),
      permissions: topic === undefined ? topics : [],
      ...(topic === undefined ? {} : { grant: { target: topic, filter } }),
      expiresAtMs: expiresAtMs && Math.min(expiresAtMs, lastInstantMs),
      scopes: [],
    },
  };
}

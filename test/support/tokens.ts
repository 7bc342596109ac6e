import { type JWTPayload, SignJWT } from 'jose';
import { secretKeys } from '../../src/auth/token-keys.ts';
import { type TokenVerifier, tokenVerifier } from '../../src/auth/tokens.ts';

export const apiKey = 'an-api-key-of-some-length';
export const tokenSecret = 'a secret of at least 32 bytes, for tests';

interface SignOptions {
  readonly secret?: string;
  /** A span such as `1h`, or seconds since 1970. */
  readonly expiresIn?: string | number;
}

/** A token with these claims, signed with HS256. */
export function signToken(
  claims: JWTPayload,
  { secret = tokenSecret, expiresIn }: SignOptions = {},
): Promise<string> {
  const token = new SignJWT(claims).setProtectedHeader({ alg: 'HS256' });
  if (expiresIn !== undefined) token.setExpirationTime(expiresIn);
  return token.sign(new TextEncoder().encode(secret));
}

/** A verifier of such tokens. */
export function testTokens(secret = tokenSecret, nowMs?: () => number): TokenVerifier {
  const options = { keys: secretKeys(secret), issuer: '', audience: [], clockToleranceMs: 0 };
  return tokenVerifier({ ...options, algorithms: ['HS256'] }, nowMs);
}

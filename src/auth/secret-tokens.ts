import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { type JWTClaimVerificationOptions, type JWTPayload, UnsecuredJWT } from 'jose';

/** `{"alg":"none"}`: with it jose checks claims whose signature was verified here. */
const noAlgorithm = Buffer.from('{"alg":"none"}').toString('base64url');

/**
 * The claims of a token that is signed with HS256 and this secret, in the same turn: jose verifies in a later one, by a
 * thread. Throws jose's errors where a claim is wrong. Returns undefined where the signature is, or where the header
 * asks for anything but HS256: jose tells why such a token is refused.
 */
export function readSignedClaims(
  token: string,
  secret: KeyObject,
  options: JWTClaimVerificationOptions,
): JWTPayload | undefined {
  const headerEnd = token.indexOf('.');
  const claimsEnd = token.lastIndexOf('.');
  if (headerEnd === claimsEnd || !isPlain(token.slice(0, headerEnd))) return undefined;
  const expected = createHmac('sha256', secret).update(token.slice(0, claimsEnd)).digest('base64url');
  if (!areEqual(token.slice(claimsEnd + 1), expected)) return undefined;
  return UnsecuredJWT.decode(`${noAlgorithm}.${token.slice(headerEnd + 1, claimsEnd)}.`, options).payload;
}

/** HS256, without the extensions that a verifier must know (`crit`) or that change what is signed (`b64`). */
function isPlain(header: string): boolean {
  try {
    const { alg, crit, b64 } = JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<
      string,
      unknown
    >;
    return alg === 'HS256' && crit === undefined && b64 === undefined;
  } catch {
    return false;
  }
}

function areEqual(text: string, expected: string): boolean {
  return text.length === expected.length && timingSafeEqual(Buffer.from(text), Buffer.from(expected));
}

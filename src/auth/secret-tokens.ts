import { timingSafeEqual } from 'node:crypto';
import { type JWTClaimVerificationOptions, type JWTPayload, UnsecuredJWT } from 'jose';
import type { Hmac } from './hmac.ts';

/** Those of jose's options that this gateway uses, besides the time. */
export interface ClaimsOptions extends JWTClaimVerificationOptions {
  readonly issuer: string | undefined;
  readonly audience: string[] | undefined;
  /** In seconds. */
  readonly clockTolerance: number;
}

/** `{"alg":"none"}`: with it jose checks claims whose signature was verified here. */
const noAlgorithm = Buffer.from('{"alg":"none"}').toString('base64url');

/** The last header that `isPlain` accepted. An issuer gives all its tokens the same header. */
let plainHeader = '';

/**
 * Returns the claims, in base64url, of a token that is signed with HS256 and this secret, in the same turn: jose
 * verifies in a later one, by a thread. Undefined where the signature is wrong, or where the header asks for anything
 * but HS256: jose tells why such a token is refused.
 */
export function signedClaims(token: string, secret: Hmac): string | undefined {
  const headerEnd = token.indexOf('.');
  const claimsEnd = token.lastIndexOf('.');
  const header = token.slice(0, headerEnd);
  if (headerEnd === claimsEnd || (header !== plainHeader && !isPlain(header))) return undefined;
  plainHeader = header;
  const isSigned = areEqual(token.slice(claimsEnd + 1), secret.of(token.slice(0, claimsEnd)));
  return isSigned ? token.slice(headerEnd + 1, claimsEnd) : undefined;
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

/** 32 bytes in base64url. */
const signatureLength = 43;
// Buffers of each token's own keep the garbage collector busy (`bench -- storm`).
const presented = Buffer.alloc(signatureLength);
const signed = Buffer.alloc(signatureLength);

function areEqual(text: string, signature: string): boolean {
  if (text.length !== signatureLength) return false;
  signed.write(signature, 'latin1');
  // A text that is not ASCII has more bytes than characters, and not all of them fit.
  return presented.write(text, 'utf8') === signatureLength && timingSafeEqual(presented, signed);
}

/**
 * The claims of a signed token. Throws jose's errors where one is wrong. Checking them with jose costs more than the
 * signature (`bench -- handshakes`), so jose is asked only where the check here does not accept them.
 */
export function verifyClaims(claims: string, options: ClaimsOptions, nowMs: number): JWTPayload {
  const payload = objectIn(claims);
  if (payload !== undefined && areRight(payload, options, nowMs)) return payload;
  return UnsecuredJWT.decode(`${noAlgorithm}.${claims}.`, { ...options, currentDate: new Date(nowMs) })
    .payload;
}

/** For claims of most sizes. */
const decoded = Buffer.alloc(4096);

function objectIn(claims: string): JWTPayload | undefined {
  const bytes = claims.length > decoded.length ? Buffer.alloc(claims.length) : decoded;
  const text = bytes.toString('utf8', 0, bytes.write(claims, 'base64url'));
  // U+FFFD is what the decoder makes of bytes that are not UTF-8.
  if (!text.startsWith('{') || text.includes('\ufffd')) return undefined;
  try {
    return JSON.parse(text) as JWTPayload;
  } catch {
    return undefined;
  }
}

function areRight(payload: Record<string, unknown>, options: ClaimsOptions, nowMs: number): boolean {
  const { issuer, audience, clockTolerance } = options;
  const { iss, aud, exp, nbf, iat } = payload;
  const nowSeconds = Math.floor(nowMs / 1000);
  return (
    (issuer === undefined || iss === issuer) &&
    (audience === undefined || audience.some((each) => each === aud)) &&
    (exp === undefined || (typeof exp === 'number' && exp > nowSeconds - clockTolerance)) &&
    (nbf === undefined || (typeof nbf === 'number' && nbf <= nowSeconds + clockTolerance)) &&
    (iat === undefined || typeof iat === 'number')
  );
}

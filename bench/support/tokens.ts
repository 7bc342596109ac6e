import { SignJWT } from 'jose';

/** A token for each of `count` users, who may subscribe to everything. The same second gives the same tokens. */
export function mintTokens(
  secret: string,
  count: number,
  issuedAtSeconds: number,
): Promise<readonly string[]> {
  const key = Buffer.from(secret);
  const topics = [{ pattern: '*', allow: ['subscribe'] }];
  return Promise.all(
    Array.from({ length: count }, (_, i) =>
      new SignJWT({ topics })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setSubject(`user${i}`)
        .setIssuedAt(issuedAtSeconds)
        .setExpirationTime(issuedAtSeconds + 3600)
        .sign(key),
    ),
  );
}

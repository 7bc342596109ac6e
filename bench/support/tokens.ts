import { SignJWT } from 'jose';

/** A token for each of so many users, who may subscribe to everything. */
export function mintTokens(secret: string, count: number): Promise<readonly string[]> {
  const key = Buffer.from(secret);
  const topics = [{ pattern: '*', allow: ['subscribe'] }];
  return Promise.all(
    Array.from({ length: count }, (_, i) =>
      new SignJWT({ topics })
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setSubject(`user${i}`)
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(key),
    ),
  );
}

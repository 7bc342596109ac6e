import { importPKCS8, SignJWT } from 'jose';

export interface TokenSigner {
  /** Of HS256; of other algorithms a private key (PKCS#8, PEM). */
  readonly secret: string;
  /** Default: HS256. */
  readonly algorithm?: 'HS256' | 'RS256' | 'ES256';
}

/** A token for each of `count` users, who may subscribe to everything. The same second gives the same claims. */
export async function mintTokens(
  { secret, algorithm = 'HS256' }: TokenSigner,
  count: number,
  issuedAtSeconds: number,
): Promise<readonly string[]> {
  const key = algorithm === 'HS256' ? Buffer.from(secret) : await importPKCS8(secret, algorithm);
  const topics = [{ pattern: '*', allow: ['subscribe'] }];
  return Promise.all(
    Array.from({ length: count }, (_, i) =>
      new SignJWT({ topics })
        .setProtectedHeader({ alg: algorithm, typ: 'JWT' })
        .setSubject(`user${i}`)
        .setIssuedAt(issuedAtSeconds)
        .setExpirationTime(issuedAtSeconds + 3600)
        .sign(key),
    ),
  );
}

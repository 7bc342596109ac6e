import type { ConfiguredKey } from '../config/api-keys.ts';
import { sha256Text } from '../digest.ts';
import { allScopes, type Identity } from './identity.ts';
import type { RequestFacts } from './request-facts.ts';

export interface ApiKeys {
  readonly size: number;
  /**
   * The identity of a key; undefined: there is no such key. The time that it takes does not tell how much of a wrong
   * key was right.
   */
  identify(presented: string): Identity | undefined;
}

/**
 * Keeps the keys as SHA-256 only, so that no dump of memory or log of this object shows one. `usesOf`: counts the uses
 * of the key with this name.
 */
export function apiKeys(
  keys: readonly ConfiguredKey[],
  usesOf: (name: string) => { inc(): void } = () => notCounted,
): ApiKeys {
  const byDigest = new Map<string, { readonly identity: Identity; readonly uses: { inc(): void } }>();
  for (const [index, each] of keys.entries()) {
    const { name = `key-${index + 1}`, key = '', sha256: hex, scopes = allScopes, topics } = each;
    const digest = hex === undefined ? sha256Text(key) : Buffer.from(hex, 'hex').toString('base64');
    const identity: Identity = Object.freeze({ permissions: [], apiKey: name, scopes, topics });
    byDigest.set(digest, { identity, uses: usesOf(name) });
  }
  return {
    size: keys.length,
    identify(presented) {
      // Without keys the credential is a token, if anything. Its verifier makes a digest of it, so this makes none.
      if (byDigest.size === 0) return undefined;
      // The digest is looked up: whatever the time tells of that tells nothing of a key.
      const key = byDigest.get(sha256Text(presented));
      key?.uses.inc();
      return key?.identity;
    },
  };
}

const notCounted = { inc: () => undefined };

const bearer = /^bearer +(\S+) *$/i;

/** The credential of a request: `X-API-Key`, or `Authorization: Bearer`; empty: none. */
export function presentedCredential(request: Pick<RequestFacts, 'header'>): string {
  return request.header('x-api-key') || (bearer.exec(request.header('authorization'))?.[1] ?? '');
}

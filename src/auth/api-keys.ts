import { timingSafeEqual } from 'node:crypto';
import { sha256 } from '../digest.ts';
import { allScopes, type Identity, type Scope } from './identity.ts';

export interface ApiKey {
  /** For logs. Default: `key-1`, `key-2` … by place. */
  readonly name?: string;
  /** In plain text, or as `sha256`. */
  readonly key?: string;
  /** SHA-256 of the key, in hex. */
  readonly sha256?: string;
  /** Default: all. */
  readonly scopes?: readonly Scope[];
  /** Topics and patterns to which it is limited; absent: all. */
  readonly topics?: readonly string[];
}

export interface ApiKeys {
  readonly size: number;
  /** The identity of a key; undefined: there is no such key. Takes as long for a wrong key as for a right one. */
  identify(presented: string): Identity | undefined;
}

/**
 * Keeps the keys as SHA-256 only, so that no dump of memory or log of this object shows one. `usesOf`: counts the uses
 * of the key with this name.
 */
export function apiKeys(
  keys: readonly (string | ApiKey)[],
  usesOf: (name: string) => { inc(): void } = () => notCounted,
): ApiKeys {
  const known = keys.map((each, index) => {
    const { name = `key-${index + 1}`, ...rest }: ApiKey = typeof each === 'string' ? { key: each } : each;
    const { key = '', sha256: hex, scopes = allScopes, topics } = rest;
    const identity: Identity = Object.freeze({ permissions: [], apiKey: name, scopes, topics });
    return {
      digest: hex === undefined ? sha256(key) : Buffer.from(hex, 'hex'),
      identity,
      uses: usesOf(name),
    };
  });
  return {
    size: known.length,
    identify(presented) {
      // Without keys the credential is a token, if anything. Its verifier makes a digest of it, so this makes none.
      if (known.length === 0) return undefined;
      const digest = sha256(presented);
      let found: (typeof known)[number] | undefined;
      // All keys are compared, also after a hit: the time must not reveal which key, or how much of it, was right.
      for (const each of known) if (timingSafeEqual(each.digest, digest)) found = each;
      found?.uses.inc();
      return found?.identity;
    },
  };
}

const notCounted = { inc: () => undefined };

const bearer = /^bearer +(\S+) *$/i;

/** The credential of a request: `X-API-Key`, or `Authorization: Bearer`; empty: none. */
export function presentedCredential(header: (name: string) => string): string {
  return header('x-api-key') || (bearer.exec(header('authorization'))?.[1] ?? '');
}

import { SluiceError } from '../errors.ts';
import type { Identity } from './identity.ts';

/** What was revoked: one token, by its `jti`, or all tokens of a user that were issued until then. */
export type RevokedKind = 'token' | 'user';

export interface Revocation {
  readonly kind: RevokedKind;
  /** `jti` or `sub`. */
  readonly id: string;
  /** When it was revoked, milliseconds since 1970. Of a user: tokens with a later `iat` are good. */
  readonly atMs: number;
  /** When no such token is valid any more, milliseconds since 1970. Undefined: not known. */
  readonly untilMs: number | undefined;
}

/** The key of a revocation: a later one of the same takes its place. */
export function revocationKey({ kind, id }: Pick<Revocation, 'kind' | 'id'>): string {
  return `${kind}:${id}`;
}

/** The tokens that are revoked, as this node knows them. */
export class Revocations {
  readonly #byKey = new Map<string, Revocation>();

  get count(): number {
    return this.#byKey.size;
  }

  all(): Iterable<Revocation> {
    return this.#byKey.values();
  }

  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  set(revocation: Revocation): void {
    this.#byKey.set(revocationKey(revocation), revocation);
  }

  delete(key: string): void {
    this.#byKey.delete(key);
  }

  /** Why this identity of a token is not good any more; undefined: it is not revoked. */
  refusal({ user, named, tokenId, issuedAtMs }: Identity): SluiceError | undefined {
    if (this.#byKey.size === 0) return undefined;
    const isRevoked =
      (tokenId !== undefined && this.#byKey.has(`token:${tokenId}`)) ||
      this.#isUserRevoked(named === undefined ? user : named.inPlaceOf, issuedAtMs) ||
      (named !== undefined && this.#isUserRevoked(user, named.askedAtMs));
    return isRevoked ? new SluiceError('token_revoked', undefined, { who: { user } }) : undefined;
  }

  /** A token that does not say when it was issued may be an old one. */
  #isUserRevoked(user: string | undefined, sinceMs = 0): boolean {
    const revoked = user === undefined ? undefined : this.#byKey.get(`user:${user}`);
    return revoked !== undefined && sinceMs <= revoked.atMs;
  }
}

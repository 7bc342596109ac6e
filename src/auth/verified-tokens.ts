import { sha256Text } from '../digest.ts';
import type { Identity } from './identity.ts';

interface VerifiedToken {
  readonly identity: Identity;
  readonly bytes: number;
}

/** About what an entry takes besides its claims: digest, place in the map, identity. */
const entryBytes = 512;

/**
 * Of a full cache the oldest are evicted until it is this full. Evicting one for each new token takes a tenth of a
 * connection's time (`bench -- storm`): an iteration walks over the places of all that were deleted before.
 */
const keptShare = 15 / 16;

/**
 * The identities of recently verified tokens: after a restart of a proxy all clients reconnect at once, with the tokens
 * that they had. Keeps digests of the tokens, and evicts the oldest.
 */
export class VerifiedTokens {
  readonly #maxBytes: number;
  readonly #verified = new Map<string, VerifiedToken>();
  #bytes = 0;

  /** `maxBytes`: of all entries, by the length of their tokens. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The identity of the token with this digest; undefined: it is unknown or has expired, and has to be verified. */
  find(digest: string, nowMs: number): Identity | undefined {
    const identity = this.#verified.get(digest)?.identity;
    return (identity?.expiresAtMs ?? Number.POSITIVE_INFINITY) > nowMs ? identity : undefined;
  }

  clear(): void {
    this.#verified.clear();
    this.#bytes = 0;
  }

  /** Call it with tokens whose signature is valid. `length`: in characters. */
  add(digest: string, length: number, identity: Identity): void {
    const bytes = length + entryBytes;
    if (this.#verified.has(digest) || bytes > this.#maxBytes) return;
    this.#verified.set(digest, { identity, bytes });
    this.#bytes += bytes;
    if (this.#bytes > this.#maxBytes) this.#evict(this.#maxBytes * keptShare);
  }

  #evict(wantedBytes: number): void {
    for (const [oldest, { bytes }] of this.#verified) {
      if (this.#bytes <= wantedBytes) return;
      this.#verified.delete(oldest);
      this.#bytes -= bytes;
    }
  }
}

export function digestOf(token: string): string {
  return sha256Text(token);
}

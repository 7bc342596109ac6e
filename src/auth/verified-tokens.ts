import { sha256 } from './digest.ts';
import type { Identity } from './identity.ts';

interface Verified {
  readonly identity: Identity;
  readonly bytes: number;
}

/** What an entry takes besides its claims, roughly: digest, place in the map, identity. */
const entryBytes = 512;

/**
 * Whose tokens they were that have been verified lately: clients that lost their connection come back, all at once,
 * with the tokens that they came with. Keeps SHA-256 of them only, as `apiKeys` does, and forgets the oldest for the
 * newest.
 */
export class VerifiedTokens {
  readonly #maxBytes: number;
  readonly #verified = new Map<string, Verified>();
  #bytes = 0;

  /** `maxBytes`: for all, by the length of tokens, as their claims are kept. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whose token has this digest; undefined: it has to be verified, as it is unknown or has expired. */
  find(digest: string, nowMs: number): Identity | undefined {
    const identity = this.#verified.get(digest)?.identity;
    return (identity?.expiresAtMs ?? Number.POSITIVE_INFINITY) > nowMs ? identity : undefined;
  }

  /** To be called with tokens whose signature was right; they are `length` characters long. */
  add(digest: string, length: number, identity: Identity): void {
    const bytes = length + entryBytes;
    if (this.#verified.has(digest) || bytes > this.#maxBytes) return;
    this.#verified.set(digest, { identity, bytes });
    this.#bytes += bytes;
    for (const [oldest, { bytes: freed }] of this.#verified) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#verified.delete(oldest);
      this.#bytes -= freed;
    }
  }
}

export function digestOf(token: string): string {
  return sha256(token).toString('base64');
}

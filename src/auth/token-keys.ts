import { createPublicKey } from 'node:crypto';
import {
  type CryptoKey,
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWK,
  type JWTHeaderParameters,
  type JWTVerifyGetKey,
} from 'jose';
import { z } from 'zod';
import { Hmac } from './hmac.ts';

/** The algorithms of public keys. */
export const publicKeyAlgorithms = ['RS256', 'ES256', 'EdDSA'] as const;
export const tokenAlgorithms = ['HS256', ...publicKeyAlgorithms] as const;
export type TokenAlgorithm = (typeof tokenAlgorithms)[number];

/** The keys that tokens may be signed with. */
export interface TokenKeys {
  /**
   * Grows when keys are replaced: tokens that were verified before have to be verified again. The keys in use may be
   * older than what a file or server has by now.
   */
  readonly revision: number;
  /** The secret of HS256, whose signatures are verified at once. */
  readonly secret?: Hmac | undefined;
  /**
   * Rejects with `NoKeys` where there are none yet, and with an error of jose where none fits the header, or several
   * do: `JWKSMultipleMatchingKeys` lists these.
   */
  find(header: JWTHeaderParameters): Promise<CryptoKey | Uint8Array>;
}

/** The keys could not be loaded yet. */
export class NoKeys extends Error {}

/** HS256 and this secret. */
export function secretKeys(secret: string): TokenKeys {
  const bytes = new TextEncoder().encode(secret);
  // Given the bytes, jose would import them again for each token: half of what verifying one costs (`bench -- storm`).
  const key = crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
  return { revision: 0, secret: new Hmac(bytes), find: () => key };
}

/**
 * The secret serves HS256 alone, and public keys serve all other algorithms alone: no public key is taken for a secret.
 */
export function keysByAlgorithm(secret: TokenKeys | undefined, published: TokenKeys | undefined): TokenKeys {
  return {
    get revision() {
      return (secret?.revision ?? 0) + (published?.revision ?? 0);
    },
    secret: secret?.secret,
    find(header) {
      const keys = header.alg === 'HS256' ? secret : published;
      return keys
        ? keys.find(header)
        : Promise.reject(new errors.JOSEAlgNotAllowed('no key for this algorithm'));
    },
  };
}

const keysMax = 100;

/** In base64url. Node takes an RSA key of any other text. */
const number = z.string().regex(/^[\w-]+$/);
const ofEachKind = {
  kid: z.string().optional(),
  use: z.literal('sig').optional(),
  alg: z.string().optional(),
  key_ops: z.array(z.string()).optional(),
};
/**
 * Other members are dropped: the private ones of a key that should not be here, and those that are too deep to copy.
 * RSA keys of less than 2048 bits are refused by jose when they are used.
 */
const publicKey = z.discriminatedUnion('kty', [
  z.object({ kty: z.literal('RSA'), n: number.min(342), e: number, ...ofEachKind }),
  z.object({ kty: z.literal('EC'), crv: z.string(), x: z.string(), y: z.string(), ...ofEachKind }),
  z.object({ kty: z.literal('OKP'), crv: z.string(), x: z.string(), ...ofEachKind }),
]);
const keySet = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })).max(keysMax) });

/**
 * Reads a JSON Web Key Set, a single JSON Web Key, or public keys in PEM. Takes the public keys that can verify tokens,
 * and no others: symmetric keys, keys for encryption, unknown kinds and damaged keys are left out. Throws where none is
 * left; the message holds no part of a key.
 */
export function readKeySet(text: string): JSONWebKeySet {
  const keys = text.includes('-----BEGIN') ? readPem(text) : readJson(text);
  const usable = keys.flatMap((key) => publicKey.safeParse(key).data ?? []).filter(isKey);
  if (usable.length === 0) throw new TypeError('it holds no public key for signatures');
  return { keys: usable };
}

function isKey(key: JWK): boolean {
  try {
    createPublicKey({ key, format: 'jwk' });
    return true;
  } catch {
    return false;
  }
}

function readPem(text: string): JWK[] {
  const blocks = text.match(/-----BEGIN [A-Z ]+-----[^-]+-----END [A-Z ]+-----/g) ?? [];
  // Reading a key takes a third of a millisecond.
  if (blocks.length > keysMax) throw new TypeError(`it holds more than ${keysMax} keys`);
  return blocks.map((block) => {
    try {
      return createPublicKey(block).export({ format: 'jwk' }) as JWK;
    } catch {
      throw new TypeError('it is not a public key or certificate in PEM');
    }
  });
}

function readJson(text: string): JWK[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new TypeError('it is neither JSON nor PEM');
  }
  const single = z.looseObject({ kty: z.string() }).safeParse(document);
  if (single.success) return [single.data as JWK];
  const set = keySet.safeParse(document);
  if (!set.success) throw new TypeError(`it is not a JSON Web Key Set of at most ${keysMax} keys`);
  return set.data.keys as JWK[];
}

export interface KeySetOptions {
  /** Reads the document anew. Bounded in time and bytes. */
  readonly load: () => Promise<string>;
  readonly monotonicMs: () => number;
  /** A document older than this is loaded again, while its keys go on serving. */
  readonly maxAgeMs: number;
  /** Unknown keys make one load in this time, and `unknownKeyLoads` at once, however many tokens name one. */
  readonly cooldownMs: number;
  readonly loaded: (keys: number) => void;
  readonly failed: (cause: unknown) => void;
}

/**
 * Loads for unknown keys that need not wait for each other: an issuer may replace a key just after a load, and a token
 * of a wrong issuer may have caused one.
 */
const unknownKeyLoads = 3;

/**
 * Keys that are published as a document, which may change. A token with a known key never waits for a load. When a load
 * fails, the keys that were loaded before stay.
 */
export class PublishedKeys implements TokenKeys {
  #revision = 0;
  #text = '';
  #find: JWTVerifyGetKey | undefined;
  #areNamed = false;
  #triedAtMs = Number.NEGATIVE_INFINITY;
  #loading: Promise<void> | undefined;
  /** When unknown keys may make `unknownKeyLoads` loads again. */
  #restedAtMs = 0;
  readonly #options: KeySetOptions;

  constructor(options: KeySetOptions) {
    this.#options = options;
  }

  get revision(): number {
    return this.#revision;
  }

  /** Loads the document, unless a load is under way. Never rejects. */
  load(): Promise<void> {
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async find(header: JWTHeaderParameters): Promise<CryptoKey | Uint8Array> {
    const { monotonicMs, maxAgeMs } = this.#options;
    if (monotonicMs() - this.#triedAtMs >= maxAgeMs) void this.load();
    try {
      return await this.#select(header);
    } catch (error) {
      const mayBeNew = error instanceof NoKeys || error instanceof errors.JWKSNoMatchingKey;
      if (!mayBeNew || !this.#mayLoadForUnknown()) throw error;
      await this.load();
      return this.#select(header);
    }
  }

  /** Charges a load, unless one is under way. */
  #mayLoadForUnknown(): boolean {
    if (this.#loading !== undefined) return true;
    const { monotonicMs, cooldownMs } = this.#options;
    const nowMs = monotonicMs();
    const restedAtMs = Math.max(this.#restedAtMs, nowMs) + cooldownMs;
    if (restedAtMs > nowMs + unknownKeyLoads * cooldownMs) return false;
    this.#restedAtMs = restedAtMs;
    return true;
  }

  async #select(header: JWTHeaderParameters): Promise<CryptoKey | Uint8Array> {
    if (!this.#find) throw new NoKeys();
    // A key in PEM has no name, and a token's `kid` then says nothing.
    const keyHeader = this.#areNamed ? header : { ...header, kid: undefined };
    // Only the header counts: what it names is looked up by `kid`, kind and algorithm.
    return (await this.#find(keyHeader, { payload: '', signature: '' })) as CryptoKey | Uint8Array;
  }

  async #load(): Promise<void> {
    const { load, monotonicMs, loaded, failed } = this.#options;
    this.#triedAtMs = monotonicMs();
    try {
      const text = await load();
      if (text === this.#text) return;
      const set = readKeySet(text);
      this.#find = createLocalJWKSet(set);
      this.#areNamed = set.keys.some(({ kid }) => kid !== undefined);
      this.#text = text;
      this.#revision++;
      loaded(set.keys.length);
    } catch (cause) {
      failed(cause);
    }
  }
}

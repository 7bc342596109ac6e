import { randomBytes } from 'node:crypto';

/** What the id of a request is taken from. */
interface IdentifiableRequest {
  readonly peerAddress: string;
  header(name: string): string;
}

export interface RequestIdOptions {
  /** Whether there are trusted proxies at all, now. Asking for a peer's address takes a while. */
  readonly hasProxies: () => boolean;
  readonly isProxy: (peerAddress: string) => boolean;
}

/** Trace ids, UUIDs, and what nginx, HAProxy and Envoy make. Nothing that a log or a terminal would read otherwise. */
const wellFormed = /^[\w.~+/=:@-]{1,128}$/;

/**
 * The ids of requests, for answers and for the log. Of a trusted proxy the id in `X-Request-Id` counts, if it is
 * well-formed. All others get one of their own, which no other of the first 2^32 requests of this process has.
 */
export class RequestIds {
  readonly #options: RequestIdOptions;
  readonly #prefix = `${randomBytes(6).toString('base64url')}-`;
  /** So that an id does not tell how many there were. */
  readonly #salt = randomBytes(4).readUInt32LE();
  #count = 0;

  constructor(options: RequestIdOptions) {
    this.#options = options;
  }

  /** Whether there are trusted proxies, now. */
  get hasProxies(): boolean {
    return this.#options.hasProxies();
  }

  of(request: IdentifiableRequest): string {
    const { hasProxies, isProxy } = this.#options;
    if (hasProxies()) {
      const given = request.header('x-request-id');
      if (given !== '' && wellFormed.test(given) && isProxy(request.peerAddress)) return given;
    }
    this.#count = (this.#count + 1) | 0;
    // An odd factor: no two counts have the same product.
    return this.#prefix + ((Math.imul(this.#count, 0x9e3779b1) ^ this.#salt) >>> 0).toString(36);
  }
}

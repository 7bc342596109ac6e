import { randomBytes } from 'node:crypto';
import type { Identity } from '../auth/identity.ts';
import type { RequestFacts } from '../auth/request-facts.ts';

/** The gateway's own client, which measures publish to receive. */
export interface CanaryAccess {
  /** Headers of its connection. They hold a key that only this gateway knows. */
  readonly headers: Readonly<Record<string, string>>;
  /** Its identity, where the request has the key. */
  identityOf(request: RequestFacts): Identity | undefined;
}

const headerName = 'x-sluice-canary';
/** The canary may read its topic, whatever access the gateway is configured with. */
const identity: Identity = { permissions: [], scopes: ['read'] };

/** Whether this is the gateway's own client. */
export function isCanary(candidate: Identity): boolean {
  return candidate === identity;
}

export function newCanaryKey(): string {
  return randomBytes(24).toString('base64url');
}

/** `key`: what its connection shows; absent: one that only this process knows. */
export function createCanary(key = newCanaryKey()): CanaryAccess {
  return {
    headers: { [headerName]: key },
    identityOf: (request) => (request.header(headerName) === key ? identity : undefined),
  };
}

import { whenDone } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import { type ApiKeys, presentedCredential } from './api-keys.ts';
import { anonymousIdentity, type Identity, localIdentity, type Scope } from './identity.ts';
import { isLoopbackHost, localProblem } from './local-guard.ts';
import type { OriginPolicy } from './origins.ts';
import type { RequestFacts } from './request-facts.ts';
import type { TokenResult, TokenVerifier } from './tokens.ts';

/**
 * What a route asks of who calls it. `none`: nothing. `metrics`: nothing without keys; with keys, one that may read, or
 * to be this machine itself.
 */
export type Access = 'none' | 'metrics' | Scope;

export interface Need {
  readonly access: Access;
  /** A token may call it too; then the handler asks `may` for the topic. */
  readonly byToken: boolean;
  /** What the body may be, where there is one. */
  readonly mediaTypes: readonly string[];
}

export interface GateOptions {
  readonly keys: ApiKeys;
  /** Absent: no tokens are taken. */
  readonly tokens?: TokenVerifier;
  readonly origins: OriginPolicy;
}

type Verdict = Identity | SluiceError;

/** The door. It reads headers only while it is called, not after. */
export interface Gate {
  /** Who calls, when they may; else why not. A promise only where a token has to be verified that is not known yet. Never rejects. */
  authorize(request: RequestFacts, need: Need): Verdict | Promise<Verdict>;
  /** Why a WebSocket (or another stream for browsers) may not be opened from there; undefined: it may. */
  upgradeProblem(request: RequestFacts): SluiceError | undefined;
}

export function createGate(options: GateOptions): Gate {
  return {
    authorize: (request, need) => authorize(request, need, options),
    upgradeProblem: (request) => upgradeProblem(request, options),
  };
}

function authorize(request: RequestFacts, need: Need, options: GateOptions): Verdict | Promise<Verdict> {
  const { keys, tokens } = options;
  if (need.access === 'none' || (need.access === 'metrics' && keys.size === 0)) return anonymousIdentity;
  const credential = presentedCredential((name) => request.header(name));
  if (credential !== '' && (keys.size > 0 || tokens !== undefined)) {
    const identity = keys.identify(credential);
    if (identity !== undefined) return withScope(identity, need.access);
    if (tokens !== undefined && looksLikeToken(credential)) return byToken(tokens, credential, need);
    return new SluiceError('unauthorized', 'this API key is not known');
  }
  if (keys.size > 0) {
    if (need.access === 'metrics' && localProblem(request, need.mediaTypes, options.origins) === undefined) {
      return localIdentity;
    }
    return new SluiceError('unauthorized', 'an API key is needed: X-API-Key, or Authorization: Bearer');
  }
  const problem = localProblem(request, need.mediaTypes, options.origins);
  if (problem === undefined) return localIdentity;
  return new SluiceError(
    'local_only',
    `no API keys are configured, so only this machine itself may do this, and the request is refused: ${problem}`,
  );
}

function withScope(identity: Identity, access: Exclude<Access, 'none'>): Verdict {
  const scope: Scope = access === 'metrics' ? 'read' : access;
  if (identity.scopes.includes(scope)) return identity;
  return new SluiceError('forbidden', `this API key lacks the scope ${scope}`);
}

function looksLikeToken(credential: string): boolean {
  return credential.split('.').length === 3;
}

function byToken(tokens: TokenVerifier, token: string, need: Need): Verdict | Promise<Verdict> {
  const verdict = (result: TokenResult): Verdict => {
    if (!result.ok) return new SluiceError(result.code, result.message);
    return need.byToken
      ? result.identity
      : new SluiceError('forbidden', 'this needs an API key, not a token');
  };
  return whenDone(tokens.verify(token), verdict);
}

/**
 * Browsers let any page open a WebSocket anywhere, so the page's origin decides. Without keys and tokens everything
 * rests on where a request comes from, and a rebound name is its page's own origin: then `Host` must be this
 * machine, unless the page's origin is listed.
 */
function upgradeProblem(request: RequestFacts, options: GateOptions): SluiceError | undefined {
  const origin = request.header('origin');
  const host = request.header('host');
  if (!options.origins.allows(origin, host)) {
    return new SluiceError(
      'origin_not_allowed',
      'pages of this origin may not connect: add it to the list of origins',
    );
  }
  if (options.keys.size > 0 || options.tokens !== undefined) return undefined;
  if (options.origins.lists(origin) || isLoopbackHost(host)) return undefined;
  return new SluiceError(
    'local_only',
    'neither API keys nor a token secret are configured, so the Host must be localhost, 127.0.0.1 or [::1]',
  );
}

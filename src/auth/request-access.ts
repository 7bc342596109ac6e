import { isPending } from '../awaitable.ts';
import { SluiceError } from '../errors.ts';
import { presentedCredential } from './api-keys.ts';
import { type Credentials, needsCredentials, type Verdict } from './credentials.ts';
import { anonymousIdentity, type Identity, localIdentity, type Scope } from './identity.ts';
import type { LoopbackAccess } from './loopback-access.ts';
import type { OriginPolicy } from './origins.ts';
import type { ReportRefusal, Requester } from './refusals.ts';
import type { RequestFacts } from './request-facts.ts';
import type { RequestedHostOf } from './requested-host.ts';

/**
 * What a route needs from its caller. `none`: nothing. `metrics`: a key with the scope `read`, or this machine itself.
 */
export type AccessLevel = 'none' | 'metrics' | Scope;

export interface AccessRequirement {
  readonly access: AccessLevel;
  /**
   * A token is enough, and no credential where anonymous access is on. The handler then calls `authorize` for the
   * topic.
   */
  readonly byToken: boolean;
  /** The allowed types of the body, where there is one. */
  readonly mediaTypes: readonly string[];
}

export interface RequestAccessOptions {
  readonly credentials: Credentials;
  readonly origins: OriginPolicy;
  readonly loopbackProblem: LoopbackAccess;
  readonly requestedHostOf: RequestedHostOf;
  readonly refused: ReportRefusal;
  /** Where a request comes from, for the log. */
  readonly requesterOf: (request: RequestFacts) => Requester;
  /** Clients without a credential are admitted, and may do what the namespaces allow. */
  readonly admitsAnonymous: boolean;
}

/** Decides which requests are served. It reads headers only while a method runs. */
export interface RequestAccess {
  /** Returns the caller, or why it is refused. A promise only where a new token has to be verified. Never rejects. */
  check(request: RequestFacts, need: AccessRequirement): Verdict | Promise<Verdict>;
  /** Logs an origin that was refused before the request reached a route. */
  refusedOrigin(request: RequestFacts, error: SluiceError): void;
  /** Returns why this page may not open a WebSocket (or another stream); undefined: it may. */
  upgradeProblem(request: RequestFacts): SluiceError | undefined;
}

export function createRequestAccess(options: RequestAccessOptions): RequestAccess {
  return {
    check: (request, need) => reported(request, check(request, need, options), options),
    refusedOrigin: (request, error) =>
      options.refused('http', error, {
        ...options.requesterOf(request),
        host: options.requestedHostOf(request).host,
      }),
    upgradeProblem: (request) => upgradeProblem(request, options),
  };
}

function reported(
  request: RequestFacts,
  verdict: Verdict | Promise<Verdict>,
  { refused, requesterOf }: RequestAccessOptions,
): Verdict | Promise<Verdict> {
  if (!(verdict instanceof Promise)) {
    if (verdict instanceof SluiceError) refused('http', verdict, requesterOf(request));
    return verdict;
  }
  const requester = requesterOf(request);
  return verdict.then((late) => {
    if (late instanceof SluiceError) refused('http', late, requester);
    return late;
  });
}

function check(
  request: RequestFacts,
  need: AccessRequirement,
  options: RequestAccessOptions,
): Verdict | Promise<Verdict> {
  const { credentials } = options;
  const isGuarded = needsCredentials(credentials);
  if (need.access === 'none') return anonymousIdentity;
  const credential = isGuarded ? presentedCredential(request) : '';
  if (credential === '') return withoutCredential(request, need, options);
  const verdict = credentials.identify(credential);
  return isPending(verdict) ? verdict.then((late) => permitted(late, need)) : permitted(verdict, need);
}

function permitted(verdict: Verdict, need: AccessRequirement): Verdict {
  return verdict instanceof SluiceError ? verdict : identified(verdict, need);
}

/** A key needs the scope of the route. A token is enough for routes that take tokens. */
function identified(identity: Identity, { access, byToken }: AccessRequirement): Verdict {
  const { apiKey: key, user } = identity;
  if (key === undefined) {
    if (byToken) return identity;
    return new SluiceError('forbidden', 'this needs an API key, not a token', { who: { user } });
  }
  const scope: Scope = access === 'metrics' || access === 'none' ? 'read' : access;
  if (identity.topics !== undefined && !byToken) {
    return new SluiceError('forbidden', 'this API key is limited to some topics', { who: { key } });
  }
  if (identity.scopes.includes(scope)) return identity;
  return new SluiceError('forbidden', `this API key lacks the scope ${scope}`, { who: { key } });
}

/**
 * This machine itself is recognised by where the request comes from. Without API keys it may publish and administrate.
 * It reads without a token only where no token secret is configured.
 */
function withoutCredential(
  request: RequestFacts,
  need: AccessRequirement,
  options: RequestAccessOptions,
): Verdict {
  const { takesKeys, takesTokens } = options.credentials;
  const isReading = takesTokens && need.access === 'read';
  const trustsLocal = need.access === 'metrics' || (!takesKeys && !isReading);
  const problem = trustsLocal ? options.loopbackProblem(request, need) : undefined;
  if (trustsLocal && problem === undefined) return localIdentity;
  if (need.byToken && (takesKeys || takesTokens)) {
    return options.admitsAnonymous ? anonymousIdentity : new SluiceError('unauthorized', needed);
  }
  const byKeyOnly = need.access === 'metrics' && (takesKeys || takesTokens);
  if (!trustsLocal || byKeyOnly) return new SluiceError('unauthorized', needed);
  return localOnly('no API keys are configured', problem);
}

function localOnly(because: string, problem: string | undefined): SluiceError {
  return new SluiceError(
    'local_only',
    `${because}, so only this machine itself may do this, and the request is refused: ${problem}`,
  );
}

const needed = 'a credential is needed: an API key as X-API-Key, or it or a token as Authorization: Bearer';

/** The media types of streams by POST. */
const streamMediaTypes = ['application/json'];

/**
 * Browsers let any page open a WebSocket anywhere, so the page's origin decides. Without keys and tokens everything
 * rests on where a request comes from, as for HTTP: it must be this machine's own. A page whose origin is listed may
 * ask for the gateway by any name, but by no proxy.
 */
function upgradeProblem(request: RequestFacts, options: RequestAccessOptions): SluiceError | undefined {
  const { origins, credentials, requestedHostOf, loopbackProblem } = options;
  const origin = request.header('origin');
  if (!origins.allows(origin, requestedHostOf(request))) {
    return new SluiceError(
      'origin_not_allowed',
      'pages of this origin may not connect: add it to the list of origins',
    );
  }
  if (needsCredentials(credentials)) return undefined;
  const need = { mediaTypes: streamMediaTypes, fromAnyPage: origins.lists(origin) };
  const problem = loopbackProblem(request, need);
  if (problem === undefined) return undefined;
  return localOnly('neither API keys nor a token secret are configured', problem);
}

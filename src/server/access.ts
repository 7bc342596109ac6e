import { apiKeys } from '../auth/api-keys.ts';
import {
  type Authorize,
  type AuthorizePublishing,
  authorizer,
  publishingAuthorizer,
} from '../auth/authorize.ts';
import { type ClientAddress, clientAddress, trustedPeer } from '../auth/client-address.ts';
import { type Credentials, createCredentials, needsCredentials } from '../auth/credentials.ts';
import { anonymousIdentity, type Identity, localIdentity } from '../auth/identity.ts';
import { type LoopbackAccess, loopbackAccess } from '../auth/loopback-access.ts';
import { type OriginPolicy, originPolicy } from '../auth/origins.ts';
import type { ReportRefusal } from '../auth/refusals.ts';
import { createRequestAccess, type RequestAccess } from '../auth/request-access.ts';
import { type RequestedHostOf, requestedHost } from '../auth/requested-host.ts';
import { admitsAnonymous, proxySuspected } from '../config.ts';
import { credentialNeeded, type SluiceError } from '../errors.ts';
import type { Application } from '../sessions/application.ts';
import type { TopicTokens } from '../sessions/subscriptions/topic-permits.ts';
import type { Environment } from './environment.ts';
import type { Tokens } from './tokens.ts';

/** Who clients are and what they may do: the same for HTTP and WebSockets. */
export interface Access {
  readonly credentials: Credentials;
  readonly topicTokens: TopicTokens;
  readonly authorize: Authorize;
  readonly authorizePublishing: AuthorizePublishing;
  readonly origins: OriginPolicy;
  readonly refused: ReportRefusal;
  readonly addressOf: ClientAddress;
  /** Whether this peer is a proxy that the operator has named. */
  readonly isProxy: (peerAddress: string) => boolean;
  /** By which name the gateway was asked. */
  readonly requestedHostOf: RequestedHostOf;
  readonly loopbackProblem: LoopbackAccess;
  readonly requestAccess: RequestAccess;
  /** Why a client that was admitted is not admitted any more; undefined: it is. Keys are looked at in a reload only. */
  readonly refusal: (identity: Identity) => SluiceError | undefined;
  /** The application's hooks. */
  readonly application: Application;
}

/** What stays the same when the configuration is reloaded. */
export interface AccessParts {
  readonly refused: ReportRefusal;
  readonly tokens: Tokens;
  /** Why a valid credential is refused all the same; undefined: it is not. */
  readonly refusal: (identity: Identity) => SluiceError | undefined;
  readonly application: Application;
}

/** Access by the present configuration. */
export function accessOf(environment: Environment, parts: AccessParts): Access {
  const { refused, tokens, refusal, application } = parts;
  const { config, log, metrics } = environment;
  const keys = apiKeys(config.apiKeys, (name) => metrics.apiKeyUsesTotal.labels({ api_key: name }));
  if (config.apiKeys.some(({ key }) => key !== undefined)) {
    log.warn(
      'API keys are configured in plain text: `sluice key` makes one that the gateway knows by its SHA-256 only.',
    );
  }
  const credentials = createCredentials(keys, tokens.verifier(), refusal);
  const origins = originPolicy(config.origins);
  // Connections of the proxy port reach the app by a unix socket too.
  const hasUnixSocket = config.unixSocket !== '' || config.proxyPort !== undefined;
  const addressOf = clientAddress(config.trustedProxies, hasUnixSocket);
  const isProxy = trustedPeer(config.trustedProxies, hasUnixSocket);
  const requestedHostOf = requestedHost(isProxy);
  const loopbackProblem = loopbackAccess({
    origins,
    isProxy,
    suspected: (sign) => log.warn(proxySuspected(sign, config)),
  });
  const requestAccess = createRequestAccess({
    credentials,
    origins,
    loopbackProblem,
    requestedHostOf,
    refused,
    requesterOf: (request) => ({
      address: addressOf({ peerAddress: request.peerAddress, forwardedFor: request.forwardedFor ?? '' }),
      origin: request.header('origin'),
      request: request.requestId,
    }),
    admitsAnonymous: admitsAnonymous(config),
  });
  const authorize = authorizer(config.namespaces);
  const authorizePublishing = publishingAuthorizer(config.namespaces);
  const topicTokens: TopicTokens = {
    identify: (token) => credentials.identifyTopicToken(token),
    refusal,
    wallMs: Date.now,
  };
  const isOut = (identity: Identity) =>
    (identity === anonymousIdentity && !admitsAnonymous(config)) ||
    (identity === localIdentity && needsCredentials(credentials));
  const decisions = { credentials, authorize, authorizePublishing, origins, refused, loopbackProblem };
  return {
    ...decisions,
    topicTokens,
    requestAccess,
    addressOf,
    isProxy,
    requestedHostOf,
    application,
    refusal: (identity) => refusal(identity) ?? (isOut(identity) ? credentialNeeded() : undefined),
  };
}

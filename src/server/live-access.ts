import { needsCredentials } from '../auth/credentials.ts';
import { anonymousIdentity, type Identity, localIdentity } from '../auth/identity.ts';
import { logRefusals } from '../auth/refusals.ts';
import { admitsAnonymous, type Config } from '../config.ts';
import type { SluiceError } from '../errors.ts';
import type { Application } from '../sessions/application.ts';
import { type Access, accessOf } from './access.ts';
import type { Environment } from './environment.ts';
import { Tokens } from './tokens.ts';

export interface LiveAccess {
  /** Follows the configuration as it was last reloaded. */
  readonly access: Access;
  /** Reads the configuration again. Returns which identities are no longer let in. */
  reload(): (identity: Identity) => boolean;
}

/** `refusal`: why a credential that would do is refused all the same; undefined: it is not. */
export function createLiveAccess(
  environment: Environment,
  refusal: (identity: Identity) => SluiceError | undefined,
  application: Application,
): LiveAccess {
  const { config, log, monotonicMs } = environment;
  const tokens = new Tokens(environment);
  const parts = { refused: logRefusals(log, monotonicMs), tokens, refusal, application };
  let now = accessOf(environment, parts);
  let keys = keysByName(config);
  const access: Access = {
    credentials: {
      get takesKeys() {
        return now.credentials.takesKeys;
      },
      get takesTokens() {
        return now.credentials.takesTokens;
      },
      identify: (credential) => now.credentials.identify(credential),
      identifyTopicToken: (token) => now.credentials.identifyTopicToken(token),
    },
    topicTokens: {
      ...now.topicTokens,
      identify: (token) => now.topicTokens.identify(token),
    },
    authorize: (identity, action, topic) => now.authorize(identity, action, topic),
    authorizePublishing: (identity) => now.authorizePublishing(identity),
    origins: {
      get hasList() {
        return now.origins.hasList;
      },
      lists: (origin) => now.origins.lists(origin),
      names: (origin) => now.origins.names(origin),
      allows: (origin, site) => now.origins.allows(origin, site),
    },
    refused: parts.refused,
    application,
    addressOf: (request) => now.addressOf(request),
    isProxy: (peer) => now.isProxy(peer),
    siteOf: (request) => now.siteOf(request),
    loopbackProblem: (request, need) => now.loopbackProblem(request, need),
    requestAccess: {
      check: (request, need) => now.requestAccess.check(request, need),
      refusedOrigin: (request, error) => now.requestAccess.refusedOrigin(request, error),
      upgradeProblem: (request) => now.requestAccess.upgradeProblem(request),
    },
  };

  function reload(): (identity: Identity) => boolean {
    const before = keys;
    keys = keysByName(config);
    now = accessOf(environment, parts);
    void tokens.reload();
    const isAnonymousOut = !admitsAnonymous(config);
    const isLocalOut = needsCredentials(now.credentials);
    return (identity) =>
      (identity.apiKey !== undefined && keys.get(identity.apiKey) !== before.get(identity.apiKey)) ||
      (identity === anonymousIdentity && isAnonymousOut) ||
      (identity === localIdentity && isLocalOut);
  }

  return { access, reload };
}

/** Each key as text, by the name that `apiKeys` gives it. */
function keysByName({ apiKeys }: Config): Map<string, string> {
  return new Map(apiKeys.map((key, index) => [key.name ?? `key-${index + 1}`, JSON.stringify(key)]));
}

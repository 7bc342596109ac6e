import type { Credentials } from '../auth/credentials.ts';
import type { Identity } from '../auth/identity.ts';
import type { OriginPolicy } from '../auth/origins.ts';
import { logRefusals } from '../auth/refusals.ts';
import type { Config } from '../config.ts';
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

  function reload(): (identity: Identity) => boolean {
    const before = keys;
    keys = keysByName(config);
    now = accessOf(environment, parts);
    void tokens.reload();
    return (identity) =>
      (identity.apiKey !== undefined && keys.get(identity.apiKey) !== before.get(identity.apiKey)) ||
      now.refusal(identity) !== undefined;
  }

  return { access: following(() => now), reload };
}

/** Access that asks `now` at each call. */
function following(now: () => Access): Access {
  const { topicTokens, refused, application } = now();
  return {
    credentials: followingCredentials(() => now().credentials),
    topicTokens: { ...topicTokens, identify: (token) => now().topicTokens.identify(token) },
    refusal: (identity) => now().refusal(identity),
    authorize: (identity, action, topic) => now().authorize(identity, action, topic),
    authorizePublishing: (identity) => now().authorizePublishing(identity),
    origins: followingOrigins(() => now().origins),
    refused,
    application,
    addressOf: (request) => now().addressOf(request),
    isProxy: (peer) => now().isProxy(peer),
    requestedHostOf: (request) => now().requestedHostOf(request),
    loopbackProblem: (request, need) => now().loopbackProblem(request, need),
    requestAccess: {
      check: (request, need) => now().requestAccess.check(request, need),
      refusedOrigin: (request, error) => now().requestAccess.refusedOrigin(request, error),
      upgradeProblem: (request) => now().requestAccess.upgradeProblem(request),
    },
  };
}

function followingCredentials(now: () => Credentials): Credentials {
  return {
    get takesKeys() {
      return now().takesKeys;
    },
    get takesTokens() {
      return now().takesTokens;
    },
    identify: (credential) => now().identify(credential),
    identifyTopicToken: (token) => now().identifyTopicToken(token),
  };
}

function followingOrigins(now: () => OriginPolicy): OriginPolicy {
  return {
    get hasList() {
      return now().hasList;
    },
    lists: (origin) => now().lists(origin),
    names: (origin) => now().names(origin),
    allows: (origin, host) => now().allows(origin, host),
  };
}

/** Each key as text, by the name that `apiKeys` gives it. */
function keysByName({ apiKeys }: Config): Map<string, string> {
  return new Map(apiKeys.map((key, index) => [key.name ?? `key-${index + 1}`, JSON.stringify(key)]));
}

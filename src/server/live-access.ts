import type { Identity } from '../auth/identity.ts';
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

  return { access: { ...following(() => now), application }, reload };
}

/** Has the members that `now` returns, and asks it at each use. */
function following<T extends object>(now: () => T): T {
  const follower = {} as T;
  for (const [name, member] of Object.entries(now()) as [keyof T, T[keyof T]][]) {
    if (typeof member === 'function')
      follower[name] = ((...args: unknown[]) => (now()[name] as typeof member)(...args)) as typeof member;
    else if (typeof member === 'object')
      follower[name] = following(() => now()[name] as typeof member & object);
    else Object.defineProperty(follower, name, { get: () => now()[name] });
  }
  return follower;
}

/** Each key as text, by the name that `apiKeys` gives it. */
function keysByName({ apiKeys }: Config): Map<string, string> {
  return new Map(apiKeys.map((key, index) => [key.name ?? `key-${index + 1}`, JSON.stringify(key)]));
}

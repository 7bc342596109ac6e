import { admitsAnonymous, hasCredentials, takesTokens } from './access.ts';
import type { Config } from './options.ts';
import { isLoopback } from './values.ts';

/**
 * Sentences for the log that say which clients may do what, so that an operator notices a gateway that is open by
 * mistake.
 */
export function accessSummary(config: Config): string {
  const parts = hasCredentials(config)
    ? [readers(config), tokenHolders(config), publishers(config)]
    : [
        'Neither API keys nor tokens are configured: requests of this machine itself may do everything.',
        localProxy(config),
      ];
  return parts.filter((part) => part !== undefined).join(' ');
}

/** Returns undefined if a local proxy is trusted: its requests are not treated as local. */
function localProxy({ trustedProxies }: Config): string | undefined {
  if (trustedProxies.some((range) => isLoopback(range.split('/')[0] as string))) return undefined;
  return `A proxy on this machine that adds no header makes every client look local: ${remedy} where there is one.`;
}

const remedy = 'give --api-key, or --trusted-proxy 127.0.0.1,';

/** A warning for the log: a request with a loopback `Host` had this sign of a proxy. */
export function proxySuspected(sign: string, config: Config): string {
  const open = config.apiKeys.length > 0 ? 'read /metrics' : 'publish and administrate';
  return (
    `A request to a loopback Host came with a sign of a proxy or of a foreign page (${sign}). What a proxy on this machine passes ` +
    `on without a header that says so looks like this machine’s own, so that every client of it may ${open}: ` +
    `${remedy} where there is one.`
  );
}

function readers(config: Config): string {
  if (!admitsAnonymous(config)) return 'Clients without a credential are refused (--anonymous admits them).';
  const { subscribe, publish } = openNamespaces(config);
  return `Anonymous access is on: clients without a credential may read ${subscribe}, and publish to ${publish}.`;
}

function tokenHolders(config: Config): string | undefined {
  if (!takesTokens(config)) return undefined;
  const { subscribe, publish } = openNamespaces(config);
  return (
    'A token reads its user’s topic, $all and what its claim `topics` lists, and publishes what that lists; ' +
    `every client that is let in reads ${subscribe}, and publishes to ${publish}.`
  );
}

function publishers(config: Config): string {
  return config.apiKeys.length > 0
    ? 'API keys may do everything.'
    : ['Without API keys, requests of this machine itself may publish and administrate.', localProxy(config)]
        .filter((part) => part !== undefined)
        .join(' ');
}

/** What the namespaces allow all clients: "nothing", "everything but secret", "the namespaces a, b". */
function openNamespaces({ namespaces }: Config): { subscribe: string; publish: string } {
  return { subscribe: list('subscribe'), publish: list('publish') };

  function list(action: 'subscribe' | 'publish'): string {
    const byDefault = namespaces.default.anonymous[action];
    const others = Object.keys(namespaces).filter(
      (name) => name !== 'default' && namespaces[name]?.anonymous[action] !== byDefault,
    );
    if (byDefault) return others.length === 0 ? 'everything' : `everything but ${others.join(', ')}`;
    return others.length === 0 ? 'nothing' : `the namespaces ${others.join(', ')}`;
  }
}

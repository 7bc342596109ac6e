import { admitsAnonymous, needsCredentials } from './access.ts';
import type { Config } from './options.ts';

/** Who may do what, in sentences for the log: what an operator has to know before others find it out. */
export function accessSummary(config: Config): string {
  const parts = needsCredentials(config)
    ? [readers(config), tokenHolders(config), publishers(config)]
    : [
        'Neither API keys nor a token secret are configured: requests of this machine itself may do everything.',
        localProxy,
      ];
  return parts.filter((part) => part !== undefined).join(' ');
}

const localProxy =
  'A proxy on this machine that adds no header makes everyone look local: give --api-key where there is one.';

function readers(config: Config): string {
  if (!admitsAnonymous(config)) return 'Clients without a credential are refused (--anonymous admits them).';
  const { subscribe, publish } = openNamespaces(config);
  return `Anonymous access is on: clients without a credential may read ${subscribe}, and publish to ${publish}.`;
}

function tokenHolders(config: Config): string | undefined {
  if (config.tokenSecret === undefined) return undefined;
  const { subscribe, publish } = openNamespaces(config);
  return (
    'A token reads its user’s topic, $all and what its claim `topics` lists, and publishes what that lists; ' +
    `every client that is let in reads ${subscribe}, and publishes to ${publish}.`
  );
}

function publishers({ apiKeys }: Config): string {
  return apiKeys.length > 0
    ? 'API keys may do everything.'
    : `Without API keys, requests of this machine itself may publish and administrate. ${localProxy}`;
}

/** What the namespaces allow to all: "nothing", "everything but secret", "the namespaces a, b". */
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

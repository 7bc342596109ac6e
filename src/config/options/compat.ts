import { type Kind, list, optionalPort } from '../values.ts';
import { option, unless } from './option.ts';

/** The older systems, with the namespaces of their topics. */
export const systemNamespaces = { a: 'server', b: 'market', c: 'admin', d: 'room', e: 'job' } as const;
export type SystemName = keyof typeof systemNamespaces;
const systemNames = Object.keys(systemNamespaces);

/** The older systems. */
export const compatOptions = {
  compat: option(
    list(
      'SYSTEM',
      unless((item) => systemNames.includes(item), `must be of ${systemNames.join(', ')}`),
    ) as Kind<readonly SystemName[]>,
    [] as readonly SystemName[],
    'Older systems whose clients are served on their own paths: a (server monitoring), b (market data), c (web administration), d (notifications), e (job progress).',
  ),
  compatPort: option(
    optionalPort(),
    undefined,
    'Additional port for the WebSockets of system b; 0 picks a free one.',
  ),
  compatNamespaces: option(
    list(
      'SYSTEM=NAMESPACE',
      unless((item) => movedPattern.test(item), 'must be like b=prices, of the systems a, b, c or d'),
    ),
    [],
    'Namespaces of the topics of older systems, instead of server, market, admin and room. A new one has the built-in options of the one that it replaces. Jobs stay in job, as those of /api/jobs.',
    { flag: '--compat-namespace' },
  ),
} as const;

const movedPattern = /^[a-d]=[A-Za-z0-9_.-]{1,100}$/;

/** The usual namespace that each of the others replaces. */
export function replacedNamespaces(compatNamespaces: readonly string[]): ReadonlyMap<string, string> {
  return new Map([...movedNamespaces(compatNamespaces)].map(([name, own]) => [own, systemNamespaces[name]]));
}

/** The namespaces that systems have instead of their usual ones. */
export function movedNamespaces(compatNamespaces: readonly string[]): ReadonlyMap<SystemName, string> {
  return new Map(compatNamespaces.map((entry) => entry.split('=') as [SystemName, string]));
}

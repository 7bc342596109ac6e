import { type Kind, list, optionalInteger } from '../values.ts';
import { option, unless } from './option.ts';

const systemNames = ['a', 'b', 'c', 'd', 'e'] as const;
type SystemName = (typeof systemNames)[number];

/** The older systems. */
export const compatOptions = {
  compat: option(
    list(
      'SYSTEM',
      unless(
        (item) => (systemNames as readonly string[]).includes(item),
        `must be of ${systemNames.join(', ')}`,
      ),
    ) as Kind<readonly SystemName[]>,
    [] as readonly SystemName[],
    'Older systems whose clients are served on their own paths: a (server monitoring), b (market data), c (web administration), d (notifications), e (job progress).',
  ),
  compatPort: option(
    optionalInteger(0, 65_535),
    undefined,
    'Additional port for the WebSockets of system b; 0 picks a free one.',
  ),
  compatNamespaces: option(
    list(
      'SYSTEM=NAMESPACE',
      unless((item) => /^[a-e]=[A-Za-z0-9_.-]{1,100}$/.test(item), 'must be like b=market'),
    ),
    [],
    'Namespaces of the topics of older systems, instead of server, market, admin, room and job.',
    { flag: '--compat-namespace' },
  ),
} as const;

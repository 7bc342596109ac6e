import type { Config } from '../config.ts';
import type { Log } from '../log.ts';

/** Of each namespace: where gateways differ, the one that publishes decides what others find. */
const ofNamespaces = [
  'mode',
  'topicHistoryMaxPublications',
  'topicHistoryMaxAgeSeconds',
  'topicHistoryMaxBytes',
  'ttlMs',
  'inbox',
] as const;
const ofGateways = ['redisMinReplicas', 'redisNodeTimeoutMs'] as const;

type ComparedOptions = Pick<Config, 'namespaces' | 'apiKeys' | (typeof ofGateways)[number]>;

/** What a gateway tells others of its configuration: by namespace, then by option. No secrets. */
export interface ToldOptions {
  readonly namespaces: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly gateway: Readonly<Record<string, unknown>>;
}

interface Difference {
  readonly option: string;
  readonly here: unknown;
  readonly there: unknown;
}

/** A warning names at most this many. */
const namedMax = 10;
/** Messages go to all gateways: namespaces beyond this number are not compared. */
const namespacesMax = 500;

/**
 * Compares this gateway's options with those of others that share its topics, and logs, once, where they differ: a
 * client that comes to another gateway finds other histories, or is refused.
 */
export class SharedOptions {
  readonly #config: ComparedOptions;
  readonly #log: Pick<Log, 'warn'>;
  /** Logged last. */
  #logged = '';

  constructor(config: ComparedOptions, log: Pick<Log, 'warn'>) {
    this.#config = config;
    this.#log = log;
  }

  /** As they are now. */
  get told(): ToldOptions {
    const { namespaces, apiKeys } = this.#config;
    const keys = apiKeys.map(({ name }, i) => name ?? `key-${i + 1}`).sort();
    return {
      namespaces: Object.fromEntries(
        Object.entries(namespaces)
          .slice(0, namespacesMax)
          .map(([name, options]) => [
            name,
            Object.fromEntries(ofNamespaces.map((each) => [each, options[each]])),
          ]),
      ),
      gateway: {
        ...Object.fromEntries(ofGateways.map((each) => [each, this.#config[each]])),
        apiKeys: keys.join(', '),
      },
    };
  }

  heard(there: ToldOptions, from: string): void {
    const differences = differencesOf(this.told, there);
    const text = JSON.stringify(differences);
    if (differences.length === 0 || text === this.#logged) return;
    this.#logged = text;
    this.#log.warn(
      { gateway: from, differences: differences.slice(0, namedMax), count: differences.length },
      'a gateway of the same --redis-prefix has other options: clients find other histories there, or are refused',
    );
  }
}

function differencesOf(here: ToldOptions, there: ToldOptions): Difference[] {
  const differences = unequal('', here.gateway, there.gateway);
  for (const name of new Set([...Object.keys(here.namespaces), ...Object.keys(there.namespaces)]))
    differences.push(...unequal(`namespaces.${name}.`, namespaceOf(here, name), namespaceOf(there, name)));
  return differences;
}

function namespaceOf({ namespaces }: ToldOptions, name: string): Readonly<Record<string, unknown>> {
  return (Object.hasOwn(namespaces, name) ? namespaces[name] : namespaces['default']) ?? {};
}

/** Options that a gateway of another version does not tell are not compared. */
function unequal(
  prefix: string,
  here: Readonly<Record<string, unknown>>,
  there: Readonly<Record<string, unknown>>,
): Difference[] {
  return Object.keys(here)
    .filter((name) => there[name] !== undefined && there[name] !== here[name])
    .map((name) => ({ option: prefix + name, here: here[name], there: there[name] }));
}

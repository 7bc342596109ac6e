import { z } from 'zod';
import { boolean, bytes, choice, integer, type Kind } from './values.ts';

const day = 24 * 60 * 60;

/** General options that a namespace may set for itself. */
export const namespaceKinds = {
  topicHistoryMaxPublications: integer(1, 10_000_000),
  topicHistoryMaxAgeSeconds: integer(1, 365 * day),
  topicHistoryMaxBytes: bytes(1024, 2 ** 36),
  batchMaxDelayMs: integer(0, 1000),
  batchMaxBytes: bytes(256, 2 ** 26),
  batchMaxPublications: integer(1, 1_000_000),
} as const;

/** An option that only namespaces have. */
interface OwnOption<T> extends Kind<T> {
  readonly default: T;
  readonly sentence: string;
  /** The default for people. */
  readonly defaultText: string;
}

function own<T>(kind: Kind<T>, value: T, sentence: string, defaultText = kind.format(value)): OwnOption<T> {
  return { ...kind, default: value, sentence, defaultText };
}

const refreshInterval = integer(0, day * 1000);

const ownOptions = {
  mode: own(
    choice(['stream', 'state']),
    'stream',
    '`stream`: every publication matters. `state`: the newest publication per key matters; subscribers get a snapshot, then changes. `server` and `job` are `state` by default. With lmdb, topics whose mode was changed begin in new epochs, and clients are told.',
  ),
  refreshMs: own(
    {
      ...refreshInterval,
      schema: refreshInterval.schema.refine((ms) => ms === 0 || ms >= 1000, 'must be 0, or at least 1000'),
    },
    0,
    'State mode: interval at which subscribers get the whole snapshot again, besides each change at once. At least 1000; 0 turns it off.',
  ),
  refresh: own(
    choice(['always', 'changed']),
    'always',
    '`always`; or `changed`: only topics with publications since the last time.',
  ),
  conflate: own(boolean, false, 'Stream mode: send only the newest publication per key of each batch.'),
  presence: own(
    boolean,
    true,
    'Let clients with the permission `presence` list and watch the members of a topic.',
  ),
  inbox: own(
    boolean,
    false,
    'Stream mode: a subscription without a position starts after what the same user has acknowledged on any device. The SDK acknowledges what its listeners have had; a poll acknowledges what precedes its cursor. For other clients everything that left the gateway more than a second or two ago counts as acknowledged, unless they acknowledge themselves (`acks` of `ping`). Where a topic has lost its numbering (over 100 000 idle topics), a user who has acknowledged nothing is not told that something may be missing.',
    '`false`, of `user` `true`',
  ),
  ttlMs: own(
    integer(0, 365 * day * 1000),
    0,
    'TTL of publications without one of their own. 0: as long as the history.',
  ),
} as const;

const kinds = { ...namespaceKinds, ...ownOptions };
type Schemas = { readonly [N in keyof typeof kinds]: (typeof kinds)[N]['schema'] };
type Defaults = { readonly [N in keyof typeof ownOptions]: (typeof ownOptions)[N]['default'] };

const schemas = Object.fromEntries(
  Object.entries(kinds).map(([name, { schema }]) => [name, schema]),
) as Schemas;
const defaults = Object.fromEntries(
  Object.entries(ownOptions).map(([name, { default: value }]) => [name, value]),
) as Defaults;
const anonymousSchema = z.strictObject({ subscribe: boolean.schema, publish: boolean.schema });

/** What the topics of one namespace share. */
export const namespaceOptionsSchema = z.strictObject({ ...schemas, anonymous: anonymousSchema });

/** For OPTIONS.md; an empty default is the option of the same name. */
export const namespaceSentences: readonly (readonly [name: string, defaultText: string, sentence: string])[] =
  [
    ...Object.keys(namespaceKinds).map((name) => [name, '', 'Overrides the option of this name.'] as const),
    ...Object.entries(ownOptions).map(
      ([name, { defaultText, sentence }]) => [name, defaultText, sentence] as const,
    ),
    [
      'anonymous',
      '`subscribe` as `anonymous`, `publish` false',
      '`{subscribe, publish}`: what every admitted client may do, whatever its token says.',
    ],
  ];

export const namespaceEntrySchema = namespaceOptionsSchema
  .partial()
  .extend({ anonymous: anonymousSchema.partial().optional() });

export type NamespaceOptions = Readonly<z.output<typeof namespaceOptionsSchema>>;
type NamespaceEntry = z.output<typeof namespaceEntrySchema>;

/** Every namespace with options of its own, and `default` for all others. */
export interface Namespaces {
  readonly default: NamespaceOptions;
  readonly [name: string]: NamespaceOptions;
}

const builtIn: Readonly<Record<string, NamespaceEntry>> = {
  server: { mode: 'state' },
  job: { mode: 'state' },
  user: { inbox: true },
  // Sluice's own: revocations are kept until the tokens expire, whatever `default` says.
  $revoked: { mode: 'state', ttlMs: 0 },
};

export const namespacesSchema = z.record(
  z.string().regex(/^[A-Za-z0-9_\-./@%$]{1,200}$/, 'must be named by what precedes the first ":" of a topic'),
  namespaceEntrySchema,
);

type Inherited = Pick<NamespaceOptions, keyof typeof namespaceKinds | 'anonymous'>;

/** What the namespace `default` inherits from the general options. */
export function inherited(general: Omit<Inherited, 'anonymous'>, admitsAnonymous: boolean): Inherited {
  const names = Object.keys(namespaceKinds) as (keyof typeof namespaceKinds)[];
  const ring = Object.fromEntries(names.map((name) => [name, general[name]])) as typeof general;
  return { ...ring, anonymous: { subscribe: admitsAnonymous, publish: false } };
}

function over(base: NamespaceOptions, entry: NamespaceEntry | undefined): NamespaceOptions {
  const anonymous = Object.freeze({ ...base.anonymous, ...entry?.anonymous });
  return Object.freeze({ ...base, ...entry, anonymous });
}

/**
 * Resolves the entries of a file: the general options, then `default`, then what is built in, then the entry.
 * `replaced`: namespaces with the name of another one whose built-in options they have.
 */
export function resolveNamespaces(
  general: Inherited,
  entries: Readonly<Record<string, NamespaceEntry>>,
  replaced: ReadonlyMap<string, string>,
): Namespaces {
  const fallback = over({ ...defaults, ...general }, entries['default']);
  const standIns = [...replaced].map(([name, replacedName]) => [name, builtIn[replacedName] ?? {}] as const);
  const usual: typeof builtIn = { ...Object.fromEntries(standIns), ...builtIn };
  const resolved = Object.entries({ ...usual, ...entries }).map(([name, entry]) => [
    name,
    over(over(fallback, usual[name]), entry),
  ]);
  return Object.freeze({ ...Object.fromEntries(resolved), default: fallback });
}

/**
 * The options of a namespace: what precedes the first ":" of a topic, or the whole name if it has none. Names come
 * from clients, so nothing is stored per name.
 */
export function namespaceOptions(
  config: { readonly namespaces: Namespaces },
  namespace: string,
): NamespaceOptions {
  const { namespaces } = config;
  return (Object.hasOwn(namespaces, namespace) && namespaces[namespace]) || namespaces.default;
}

import { z } from 'zod';
import { boolean, bytes, choice, integer } from './values.ts';

const day = 24 * 60 * 60;

/** The options that a namespace may set for itself. Defaults: the options of the same name, and those below. */
export const namespaceKinds = {
  topicHistoryMaxPublications: integer(1, 10_000_000),
  topicHistoryMaxAgeSeconds: integer(1, 365 * day),
  topicHistoryMaxBytes: bytes(1024, 2 ** 36),
  batchMaxDelayMs: integer(0, 1000),
  batchMaxBytes: bytes(256, 2 ** 26),
  batchMaxPublications: integer(1, 1_000_000),
} as const;

const anonymousSchema = z.strictObject({
  /**
   * What every admitted client may do with topics of this namespace, whatever its token says. Clients without a
   * credential are admitted if the option `anonymous` is on; then `subscribe` (and reading the history) is true by
   * default.
   */
  subscribe: boolean.schema,
  publish: boolean.schema,
});

/** What the topics of one namespace share. */
export const namespaceOptionsSchema = z.strictObject({
  mode: choice(['stream', 'state']).schema,
  topicHistoryMaxPublications: namespaceKinds.topicHistoryMaxPublications.schema,
  topicHistoryMaxAgeSeconds: namespaceKinds.topicHistoryMaxAgeSeconds.schema,
  topicHistoryMaxBytes: namespaceKinds.topicHistoryMaxBytes.schema,
  batchMaxDelayMs: namespaceKinds.batchMaxDelayMs.schema,
  batchMaxBytes: namespaceKinds.batchMaxBytes.schema,
  batchMaxPublications: namespaceKinds.batchMaxPublications.schema,
  /**
   * State mode: interval at which subscribers get the whole snapshot again, besides each change at once. At least 1000;
   * 0 turns it off.
   */
  refreshMs: integer(0, day * 1000).schema.refine(
    (ms) => ms === 0 || ms >= 1000,
    'must be 0, or at least 1000',
  ),
  /** `always`; or `changed`: only topics with publications since the last time. */
  refresh: choice(['always', 'changed']).schema,
  /** Stream mode: send only the newest publication per key of each batch. */
  conflate: boolean.schema,
  /** Let clients with the permission `presence` list and watch the members of a topic. */
  presence: boolean.schema,
  /**
   * Stream mode: remember per user how far a topic was acknowledged on any device. A subscription without a position
   * starts after that.
   */
  inbox: boolean.schema,
  /** TTL of publications without one of their own. 0: none. */
  ttlMs: integer(0, 365 * day * 1000).schema,
  anonymous: anonymousSchema,
});

/** For OPTIONS.md: default and purpose of each; an empty default is the option of the same name. */
export const namespaceSentences: Readonly<
  Record<keyof z.output<typeof namespaceOptionsSchema>, readonly [defaultText: string, sentence: string]>
> = {
  mode: [
    'stream',
    '`stream`: every publication matters. `state`: the newest publication per key matters; subscribers get a snapshot, then changes. `server` and `job` are `state` by default. With lmdb, topics whose mode was changed begin in new epochs, and clients are told.',
  ],
  topicHistoryMaxPublications: ['', 'Overrides the option of this name.'],
  topicHistoryMaxAgeSeconds: ['', 'Overrides the option of this name.'],
  topicHistoryMaxBytes: ['', 'Overrides the option of this name.'],
  batchMaxDelayMs: ['', 'Overrides the option of this name.'],
  batchMaxBytes: ['', 'Overrides the option of this name.'],
  batchMaxPublications: ['', 'Overrides the option of this name.'],
  refreshMs: [
    '0',
    'State mode: interval at which subscribers get the whole snapshot again, besides each change at once. At least 1000; 0 turns it off.',
  ],
  refresh: ['always', '`always`; or `changed`: only topics with publications since the last time.'],
  conflate: ['false', 'Stream mode: send only the newest publication per key of each batch.'],
  presence: ['true', 'Let clients with the permission `presence` list and watch the members of a topic.'],
  inbox: [
    '`false`, of `user` `true`',
    'Stream mode: a subscription without a position starts after what the same user has acknowledged on any device. The SDK acknowledges what its listeners have had; a poll acknowledges what precedes its cursor. For other clients everything that left the gateway more than a second or two ago counts as acknowledged, unless they acknowledge themselves (`acks` of `ping`). Where a topic has lost its numbering (over 100 000 idle topics), a user who has acknowledged nothing is not told that something may be missing.',
  ],
  ttlMs: ['0', 'TTL of publications without one of their own. 0: as long as the history.'],
  anonymous: [
    '`subscribe` as `anonymous`, `publish` false',
    '`{subscribe, publish}`: what every admitted client may do, whatever its token says.',
  ],
};

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

type Ring = Pick<NamespaceOptions, keyof typeof namespaceKinds>;

function over(base: NamespaceOptions, entry: NamespaceEntry | undefined): NamespaceOptions {
  const anonymous = Object.freeze({ ...base.anonymous, ...entry?.anonymous });
  return Object.freeze({ ...base, ...entry, anonymous });
}

/**
 * Resolves the entries of a file: the general options, then `default`, then what is built in, then the entry.
 * `replaced`: namespaces with the name of another one whose built-in options they have.
 */
export function resolveNamespaces(
  general: Ring & { readonly admitsAnonymous: boolean },
  entries: Readonly<Record<string, NamespaceEntry>>,
  replaced: ReadonlyMap<string, string>,
): Namespaces {
  const {
    topicHistoryMaxPublications,
    topicHistoryMaxAgeSeconds,
    topicHistoryMaxBytes,
    batchMaxDelayMs,
    batchMaxBytes,
    batchMaxPublications,
  } = general;
  const base: NamespaceOptions = {
    mode: 'stream',
    topicHistoryMaxPublications,
    topicHistoryMaxAgeSeconds,
    topicHistoryMaxBytes,
    batchMaxDelayMs,
    batchMaxBytes,
    batchMaxPublications,
    refreshMs: 0,
    refresh: 'always',
    conflate: false,
    presence: true,
    inbox: false,
    ttlMs: 0,
    anonymous: { subscribe: general.admitsAnonymous, publish: false },
  };
  const fallback = over(base, entries['default']);
  const standIns = [...replaced].map(([name, usual]) => [name, builtIn[usual] ?? {}] as const);
  const own: typeof builtIn = { ...Object.fromEntries(standIns), ...builtIn };
  const resolved = Object.entries({ ...own, ...entries }).map(([name, entry]) => [
    name,
    over(over(fallback, own[name]), entry),
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

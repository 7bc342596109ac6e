import { apiKeyList } from './api-keys.ts';
import { type Namespaces, namespaceKinds } from './namespaces.ts';
import { originFault } from './origins.ts';
import {
  boolean,
  bytes,
  choice,
  integer,
  isAddressRange,
  isHookUrl,
  isKeysUrl,
  type Kind,
  list,
  optionalInteger,
  processes,
  redisUrlFault,
  secretText,
  text,
} from './values.ts';

const unless = (isValid: (item: string) => boolean, fault: string) => (item: string) =>
  isValid(item) ? undefined : fault;

interface Spec<T> {
  readonly kind: Kind<T>;
  readonly default: T;
  readonly sentence: string;
  /** Never printed, also not in faults. */
  readonly secret?: true;
  /** Instead of the one made from the name. */
  readonly flag?: string;
}

function option<T>(
  kind: Kind<T>,
  value: T,
  sentence: string,
  more: { secret?: true; flag?: string } = {},
): Spec<T> {
  return { kind, default: value, sentence, ...more };
}

const isHostText = (value: string) => /^[A-Za-z0-9.:_-]+$/.test(value);
const path = (placeholder: string, fault: string) =>
  text(placeholder, (value) => !value.includes('\0'), fault);

const systemNames = ['a', 'b', 'c', 'd', 'e'] as const;
type SystemName = (typeof systemNames)[number];

const hookUrl = text(
  'URL',
  (value) => value === '' || isHookUrl(value),
  'must be an http or https URL without user, password and fragment',
);

const KiB = 2 ** 10;
const MiB = 2 ** 20;
const count = integer(1, 10_000_000);

/**
 * Every option: its name, default, allowed values and purpose. Flags, variables, help,
 * OPTIONS.md and the type `Config` come from here, so a new option is one new entry.
 */
const optionTable = {
  host: option(
    text('ADDRESS', isHostText, 'must be an IP address or the name of a host'),
    '127.0.0.1',
    'Address to listen on. Anything but loopback needs API keys or a token secret.',
  ),
  port: option(integer(0, 65_535), 8080, 'Port to listen on; 0 takes a free one.'),
  tlsCertFile: option(
    path('FILE', 'must be the path of a file'),
    '',
    'Certificate of the port (PEM, with its chain): it speaks TLS then. Taken anew when it changes.',
  ),
  tlsKeyFile: option(
    path('FILE', 'must be the path of a file'),
    '',
    'The private key of the certificate (PEM).',
  ),
  unixSocket: option(
    path('FILE', 'must be the path of a file'),
    '',
    'Unix socket to listen on, besides the port, for a proxy on this machine: its X-Forwarded-For is believed.',
  ),
  unixMode: option(
    text('MODE', (value) => /^0?[0-7]{3}$/.test(value), 'must be three octal digits, like 660'),
    '660',
    'Permissions of the unix socket, in octal digits.',
  ),
  proxyPort: option(
    optionalInteger(0, 65_535),
    undefined,
    'A port of its own for connections of trusted proxies that begin with a header of the PROXY protocol, version 1 or 2. 0 takes a free one.',
  ),
  adminPort: option(
    optionalInteger(0, 65_535),
    undefined,
    'A port of its own for /metrics and the administration, which the public port then does not have; it speaks plain HTTP. 0 takes a free one.',
  ),
  adminHost: option(
    text(
      'ADDRESS',
      (value) => value === '' || isHostText(value),
      'must be an IP address or the name of a host',
    ),
    '',
    'Address of the admin port; by default that of the port.',
  ),
  runFile: option(
    text('FILE', (value) => !value.includes('\0'), 'must be the path of a file'),
    '',
    'File that says where the gateway listens, while it runs: sluice health and sluice publish read it.',
  ),
  apiKeys: option(
    apiKeyList,
    [],
    'Keys that may publish, read and administrate, as `NAME=sha256:HEX` (`sluice key` makes one) or in plain text. In a file also objects of `name`, `sha256` or `key`, `scopes` (publish, read, admin) and `topics`.',
    { secret: true, flag: '--api-key' },
  ),
  tokenSecret: option(
    secretText(32),
    undefined,
    'Secret that JSON Web Tokens (HS256) are signed with; at least 32 bytes.',
    { secret: true },
  ),
  tokenKeysFile: option(
    text('FILE', (value) => !value.includes('\0'), 'must be the path of a file'),
    '',
    'File with the public keys that JSON Web Tokens (RS256, ES256, EdDSA) are signed with: a JSON Web Key Set, or PEM. Read again when it changes.',
  ),
  tokenKeysUrl: option(
    text(
      'URL',
      (value) => value === '' || isKeysUrl(value),
      'must be an https URL, or an http URL of this machine',
    ),
    '',
    'URL of a JSON Web Key Set with the public keys of tokens, as identity providers publish it. Loaded again every 10 minutes, and for a key that is not known.',
  ),
  tokenAlgorithms: option(
    list(
      'ALG',
      unless(
        (item) => ['HS256', 'RS256', 'ES256', 'EdDSA'].includes(item),
        'must be of HS256, RS256, ES256, EdDSA',
      ),
    ),
    [],
    'Algorithms that tokens may be signed with. By default HS256 where there is a secret, and RS256, ES256, EdDSA where there are public keys.',
  ),
  tokenIssuer: option(
    text('TEXT', () => true, 'must be a text'),
    '',
    'What the claim iss of a token must be. By default it is not looked at.',
  ),
  tokenAudience: option(
    list(
      'TEXT',
      unless((item) => item !== '', 'must be texts'),
    ),
    [],
    'What the claim aud of a token must hold, one of these. By default it is not looked at.',
  ),
  tokenClockToleranceSeconds: option(
    integer(0, 300),
    5,
    'How far the clocks of the issuer of tokens and of this machine may be apart.',
  ),
  anonymous: option(
    boolean,
    false,
    'With API keys or a token secret: clients without a credential may read (what the namespaces allow), too.',
  ),
  origins: option(
    list('ORIGIN', originFault),
    [],
    'Origins of pages and apps that may connect, besides the gateway’s own (https://a.example, capacitor://localhost, null); * allows all.',
    { flag: '--origin' },
  ),
  trustedProxies: option(
    list('CIDR', unless(isAddressRange, 'must be IP addresses or ranges like 10.0.0.0/8')),
    [],
    'Proxies whose X-Forwarded-For, -Host and -Proto are believed; requests through them never count as this machine’s own.',
    { flag: '--trusted-proxy' },
  ),

  connectionsMax: option(count, 10_000, 'Connections in all.'),
  connectionsMaxPerIp: option(count, 100, 'Connections per client address (IPv6: per /64).'),
  unauthenticatedMaxPerIp: option(
    count,
    100,
    'Connections per client address that have shown no credential yet, where one is needed; for 5 s each.',
  ),
  connectionsMaxPerUser: option(count, 20, 'Connections per user.'),
  handshakesPerSecondPerIp: option(
    integer(1, 1_000_000),
    50,
    'New connections per second and client address.',
  ),
  httpConnectionsMax: option(
    count,
    20_000,
    'Connections that are not WebSockets (yet); further ones are closed at once.',
  ),
  httpConnectionsPerSecondPerIp: option(
    integer(1, 1_000_000),
    500,
    'New connections of any kind per second and address, at least two for each handshake that it may make; trusted proxies have no such limit.',
  ),
  httpRequestsPerSecondPerIp: option(
    integer(1, 1_000_000),
    500,
    'HTTP requests per second and address that bring no valid key or token.',
  ),
  httpRequestsPerSecondPerUser: option(
    integer(1, 1_000_000),
    500,
    'HTTP requests per second and user with a token. Requests with an API key have no limit.',
  ),
  idleTimeoutSeconds: option(
    integer(10, 300),
    60,
    'A connection without a message or pong for this time is dead.',
  ),
  writeTimeoutSeconds: option(
    integer(1, 3600),
    30,
    'A connection whose buffer makes no progress for this time is closed.',
  ),
  workers: option(
    processes(64),
    1,
    'Processes that share the port and the load; auto: one per core. They share the engine, the caps and the metrics.',
  ),
  drainSeconds: option(
    integer(0, 3600),
    2,
    'At shutdown, the time over which clients are told to go away, one after the other. Each is told to come back within as long again, or within 2 s if that is more.',
  ),
  shutdownGraceSeconds: option(
    integer(0, 3600),
    5,
    'At shutdown, the time that told clients and requests under way have to end.',
  ),
  readyLoopDelayMaxMs: option(
    integer(10, 60_000),
    5000,
    'A gateway whose event loop was held up for longer than this in the last 10 s is not ready.',
  ),

  engine: option(
    choice(['memory', 'lmdb', 'redis']),
    'memory',
    'Where topics are stored: memory ends with the process, lmdb is on the disk, redis is shared by several gateways.',
  ),
  dataDir: option(
    text('DIR', (value) => value !== '' && !value.includes('\0'), 'must be the path of a folder'),
    'data',
    'Folder of the engine lmdb; one gateway at a time.',
  ),
  anyFileSystem: option(
    boolean,
    false,
    'Engine lmdb: take a data folder also on a network, FUSE or FAT file system, where a second gateway would not be noticed.',
  ),
  sync: option(
    boolean,
    false,
    'Engine lmdb: acknowledge a publish only when it is on the disk, so that a power failure loses nothing.',
  ),
  redis: option(
    list('URL', redisUrlFault),
    ['redis://127.0.0.1:6379'],
    'Engine redis: redis://USER:PASSWORD@HOST:PORT/DB, or rediss:// for TLS; of a cluster or of Sentinels any of them, separated by commas.',
    { secret: true },
  ),
  redisKind: option(
    choice(['single', 'cluster', 'sentinel']),
    'single',
    'Engine redis: what the URLs are: the server, masters of a cluster, or Sentinels.',
  ),
  redisSentinelName: option(
    text('NAME', (value) => value !== '', 'must be a text'),
    'mymaster',
    'Engine redis: what the Sentinels call the master.',
  ),
  redisUsername: option(
    text('NAME', () => true, 'must be a text'),
    '',
    'Engine redis: user of the server that Sentinels know. Otherwise the URLs say it.',
  ),
  redisPassword: option(secretText(1), undefined, 'Engine redis: password of that user.', { secret: true }),
  redisPrefix: option(
    text(
      'TEXT',
      (value) => /^[A-Za-z0-9:._-]{1,100}$/.test(value),
      'must be 1 to 100 letters, digits, or any of :._-',
    ),
    'sluice',
    'Engine redis: what the names of its keys begin with. Gateways with one prefix share their topics.',
  ),
  redisMinReplicas: option(
    integer(0, 100),
    0,
    'Engine redis: replicas that must have a publication before it is acknowledged.',
  ),
  redisTimeoutMs: option(
    integer(100, 60_000),
    2000,
    'Engine redis: after this time without an answer the connection counts as lost.',
  ),
  redisNodeTimeoutMs: option(
    integer(2000, 600_000),
    10_000,
    'Engine redis: a gateway that was not heard of for so long counts as gone, with its connections.',
  ),
  redisReadyWhileAway: option(
    boolean,
    false,
    'Engine redis: stay ready while Redis is away, so that clients that come back are served what this gateway still has.',
  ),
  topicsMax: option(count, 100_000, 'Topics in all.'),
  messageIdsMaxBytesPerClient: option(
    bytes(KiB, 2 ** 40),
    40 * MiB,
    'messageIds that are remembered, for 5 minutes, of what one key, user or session publishes. An id takes 64 bytes: the default is for 2184 new ids a second.',
  ),
  messageIdsMaxBytes: option(
    bytes(4 * KiB, 2 ** 40),
    160 * MiB,
    'The same of all together; clients without key or token share a quarter of it.',
  ),
  topicHistoryMaxPublications: option(
    namespaceKinds.topicHistoryMaxPublications,
    1000,
    'Publications that a topic keeps in its history.',
  ),
  topicHistoryMaxAgeSeconds: option(
    namespaceKinds.topicHistoryMaxAgeSeconds,
    3600,
    'How long a topic keeps them.',
  ),
  topicHistoryMaxBytes: option(namespaceKinds.topicHistoryMaxBytes, MiB, 'Size of the history of a topic.'),
  historyMaxBytes: option(
    bytes(KiB, 2 ** 40),
    256 * MiB,
    'Size of all histories and states together; the histories of idle topics are evicted first.',
  ),

  batchMaxDelayMs: option(
    namespaceKinds.batchMaxDelayMs,
    5,
    'Longest time that a busy topic collects a batch.',
  ),
  batchMaxBytes: option(namespaceKinds.batchMaxBytes, 64 * KiB, 'A batch of this size goes out at once.'),
  batchMaxPublications: option(
    namespaceKinds.batchMaxPublications,
    10_000,
    'Publications of a live batch: as many go out at once, more in several. Of what a client has missed, `batchMaxBytes` alone bounds a batch.',
  ),
  compressMinBytes: option(bytes(0, 2 ** 30), 256, 'Batches from this size may be compressed; 0: never.'),
  dictionaryMinBytes: option(
    bytes(0, 2 ** 30),
    64,
    'Batches from this size may be compressed with a shared dictionary; 0: there are none.',
  ),
  backpressureMaxBytes: option(
    bytes(4 * KiB, 2 ** 31),
    64 * KiB,
    'Unsent bytes of a session, besides what the kernel holds, before it counts as lagging.',
  ),
  backpressureTotalMaxBytes: option(
    bytes(4 * KiB, 2 ** 40),
    256 * MiB,
    'Unsent bytes of all sessions together.',
  ),

  payloadMaxBytes: option(bytes(1, 2 ** 28), 64 * KiB, 'Payload of a publication.'),
  frameMaxBytes: option(bytes(KiB, 2 ** 29), MiB, 'Message that a client may send.'),
  bodyMaxBytes: option(bytes(KiB, 2 ** 30), 8 * MiB, 'Body of an HTTP request.'),
  requestsMaxBytesPerClient: option(
    bytes(64 * KiB, 2 ** 40),
    16 * MiB,
    'Bodies that are under way, responses that are unread, and commands that wait, each, of one key, user, session or address; at least a whole body.',
  ),
  requestsMaxBytes: option(bytes(64 * KiB, 2 ** 40), 64 * MiB, 'The same of all clients together.'),
  subscriptionsPerSession: option(count, 100, 'Subscriptions of a session.'),
  presenceMaxBytes: option(
    bytes(KiB, 2 ** 40),
    128 * MiB,
    'Members of all topics, of whom a key, user or session may have a quarter. One takes 512 bytes and its names; those that find no room are subscribed and not listed.',
  ),
  commandsPerSecond: option(integer(1, 1_000_000), 100, 'Commands per second and session.'),
  viewsPerTopic: option(
    count,
    64,
    'Distinct views with a filter, an interval or keys of a topic or pattern: a quarter for one key, user or session, and for the sessions without key or token of one address; half for all of these.',
  ),
  viewsMax: option(count, 10_000, 'The same of all topics together. Plain subscriptions always have room.'),

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
    'A port of its own for the WebSockets of system b, besides its path; 0 takes a free one.',
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

  hookConnect: option(hookUrl, '', 'URL that is asked about each connection: may it, and as whom.'),
  hookSubscribe: option(
    hookUrl,
    '',
    'URL that is asked about each subscription, and each reading of a topic.',
  ),
  hookPublish: option(hookUrl, '', 'URL that is asked about each publication of a client.'),
  hookCall: option(hookUrl, '', 'URL that answers the calls of clients.'),
  hookEvents: option(
    hookUrl,
    '',
    'URL that is told what clients do: connected, disconnected, subscribed, unsubscribed; topics occupied, vacated.',
  ),
  hookSecret: option(
    secretText(32),
    undefined,
    'Secret by which requests to these URLs are signed (HMAC-SHA256); at least 32 bytes.',
    { secret: true },
  ),
  hookHeaders: option(
    list(
      'NAME',
      unless((item) => /^[a-z0-9-]{1,64}$/.test(item), 'must be names of headers in small letters'),
    ),
    [],
    'Headers of a client’s request that the connect hook is told, such as cookie.',
    { flag: '--hook-header' },
  ),
  hookFailOpen: option(
    list(
      'HOOK',
      unless(
        (item) => ['connect', 'subscribe', 'publish'].includes(item),
        'must be of connect, subscribe, publish',
      ),
    ),
    [],
    'Hooks whose failure lets clients do what they might without the hook. By default they are refused.',
  ),
  hookTimeoutMs: option(
    integer(10, 60_000),
    3000,
    'Time that the application has to answer a hook, waiting included.',
  ),
  callTimeoutMs: option(integer(10, 300_000), 10_000, 'The same for a call.'),
  hookConcurrency: option(integer(1, 10_000), 64, 'Questions to each hook at the same time; others wait.'),
  eventQueueMaxBytes: option(
    bytes(64 * KiB, 2 ** 40),
    8 * MiB,
    'Events that the application has not taken yet. When there are more, all are dropped and the next batch says resync.',
  ),

  sourceHost: option(
    boolean,
    false,
    'Publish this machine’s CPU, memory, load, disk and network to server:HOSTNAME.',
  ),
  sourceHostIntervalMs: option(integer(100, 3_600_000), 1000, 'Time between two readings of the host.'),
  canary: option(
    boolean,
    true,
    'Measure publish to receive by a client of the gateway’s own, once a second over loopback.',
  ),
  logLevel: option(
    choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    'info',
    'Least severe lines of the log: trace, debug, info, warn, error, fatal, silent.',
  ),
  logFormat: option(choice(['json', 'pretty']), 'json', 'Lines of JSON, or for people.'),
} as const;

type Table = typeof optionTable;
export type OptionName = keyof Table;

/** New name -> old name. Flag, variable and file key of the old name work for one more version, with a warning. */
const oldNames = {
  topicHistoryMaxPublications: 'ringMaxPublications',
  topicHistoryMaxAgeSeconds: 'ringMaxAgeSeconds',
  topicHistoryMaxBytes: 'ringMaxBytes',
  historyMaxBytes: 'ringsMaxBytes',
  connectionsMax: 'maxConnections',
  connectionsMaxPerIp: 'maxConnectionsPerIp',
  unauthenticatedMaxPerIp: 'maxUnauthenticatedPerIp',
  connectionsMaxPerUser: 'maxConnectionsPerUser',
  httpConnectionsMax: 'maxHttpConnections',
} as const satisfies { readonly [N in OptionName]?: string };

/** Old name -> new name. */
export const renamedOptions: ReadonlyMap<string, string> = new Map(
  Object.entries(oldNames).map(([name, oldName]) => [oldName, name]),
);

export type OldOptionName = (typeof oldNames)[keyof typeof oldNames];

/** All options, resolved and checked. Deeply frozen. */
export type Config = {
  readonly [N in OptionName]: Table[N] extends Spec<infer T> ? T : never;
} & {
  /** Only in the file: namespace -> options of its own. Resolved; read it through `namespaceOptions`. */
  readonly namespaces: Namespaces;
};

/** How an option is called in each source. */
export interface OptionNames {
  /** In a file. */
  readonly name: OptionName | OldOptionName;
  /** `SLUICE_CONNECTIONS_MAX` */
  readonly env: string;
  /** `--connections-max` */
  readonly flag: string;
}

/** A row of the table as help, OPTIONS.md and loader use it. */
export interface OptionRow extends Omit<Spec<unknown>, 'flag'>, OptionNames {
  readonly name: OptionName;
  readonly renamedFrom: OptionNames | undefined;
  /** The default for people; empty where there is none. */
  readonly defaultText: string;
}

function namesOf<N extends OptionName | OldOptionName>(name: N): OptionNames & { readonly name: N } {
  const words = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return { name, env: `SLUICE_${words.replaceAll('-', '_').toUpperCase()}`, flag: `--${words}` };
}

function row<T>(name: OptionName, spec: Spec<T>): OptionRow {
  const names = namesOf(name);
  const oldName = Object.hasOwn(oldNames, name) ? oldNames[name as keyof typeof oldNames] : undefined;
  return {
    ...spec,
    ...names,
    flag: spec.flag ?? names.flag,
    kind: { ...spec.kind, format: (value) => spec.kind.format(value as T) },
    renamedFrom: oldName && namesOf(oldName),
    defaultText: spec.default === undefined ? '' : spec.kind.format(spec.default),
  };
}

export const options: readonly OptionRow[] = (Object.keys(optionTable) as OptionName[]).map((name) =>
  row(name, optionTable[name] as Spec<unknown>),
);

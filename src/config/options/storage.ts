import { namespaceKinds } from '../namespaces.ts';
import { boolean, bytes, choice, integer, list, redisUrlFault, secretText, text } from '../values.ts';
import { count, filePath, KiB, liveOption, MiB, option } from './option.ts';

/** Where topics are stored, and how much of them. */
export const storageOptions = {
  engine: option(
    choice(['memory', 'lmdb', 'redis']),
    'memory',
    'Storage of topics: memory (lost with the process), lmdb (on disk), redis (shared by several gateways).',
  ),
  dataDir: option(
    text('DIR', (value) => value !== '' && !value.includes('\0'), 'must be the path of a folder'),
    'data',
    'Engine lmdb: data directory, used by one gateway at a time.',
  ),
  anyFileSystem: option(
    boolean,
    false,
    'Engine lmdb: allow a data directory on a network, FUSE or FAT file system, where a second gateway would not be noticed.',
  ),
  sync: option(
    boolean,
    false,
    'Engine lmdb: acknowledge a publish only after it is on disk, so that a power failure loses nothing.',
  ),
  redis: option(
    list('URL', redisUrlFault),
    ['redis://127.0.0.1:6379'],
    'Engine redis: redis://USER:PASSWORD@HOST:PORT/DB, or rediss:// for TLS. For a cluster or Sentinels one or more of them, separated by commas.',
    { secret: true },
  ),
  redisKind: option(
    choice(['single', 'cluster', 'sentinel']),
    'single',
    'Engine redis: type of the servers at these URLs: a single server, masters of a cluster, or Sentinels.',
  ),
  redisSentinelName: option(
    text('NAME', (value) => value !== '', 'must be a text'),
    'mymaster',
    'Engine redis: name of the master at the Sentinels.',
  ),
  redisUsername: option(
    text('NAME', () => true, 'must be a text'),
    '',
    'Engine redis with Sentinels: user at the master. Otherwise it is part of the URL.',
  ),
  redisPassword: option(secretText(1), undefined, 'Engine redis with Sentinels: password at the master.', {
    secret: true,
  }),
  redisCaFile: option(
    filePath,
    '',
    'Engine redis with TLS: certificates of trusted authorities (PEM). Default: those of Node.js.',
  ),
  redisCertFile: option(filePath, '', 'Engine redis with TLS: client certificate (PEM).'),
  redisKeyFile: option(filePath, '', 'Engine redis with TLS: private key of the client certificate (PEM).'),
  redisPrefix: option(
    text(
      'TEXT',
      (value) => /^[A-Za-z0-9:._-]{1,100}$/.test(value),
      'must be 1 to 100 letters, digits, or any of :._-',
    ),
    'sluice',
    'Engine redis: prefix of its keys. Gateways with the same prefix share their topics.',
  ),
  redisMinReplicas: option(
    integer(0, 100),
    0,
    'Engine redis: number of replicas that must have a publication before it is acknowledged.',
  ),
  redisTimeoutMs: option(
    integer(100, 60_000),
    2000,
    'Engine redis: time without a reply after which the connection is considered lost.',
  ),
  redisNodeTimeoutMs: option(
    integer(2000, 600_000),
    10_000,
    'Engine redis: time without a heartbeat after which a gateway and its connections are considered gone.',
  ),
  redisReadyWhileAway: option(
    boolean,
    false,
    'Engine redis: stay ready while Redis is unreachable, so that returning clients get what this gateway still holds.',
  ),
  topicsMax: option(count, 100_000, 'Maximum number of topics.'),
  topicsMaxPerClient: option(
    count,
    10_000,
    'Maximum number of topics created by one user, or by one address without a token; API keys may create all. No client may create more than it leaves free for others; clients without key or token share a quarter.',
  ),
  topicsMaxBytesPerClient: option(
    bytes(KiB, 2 ** 40),
    40 * MiB,
    'The same by the memory that topics take without their content, 2 to 6 kB each; clients without key or token share as much as one.',
  ),
  newTopicsPerSecondPerClient: option(
    integer(1, 1_000_000),
    1,
    'Maximum number of topics per second that one user, or one address without a token, begins that have never been published to, after 10 000 at once (or topicsMaxPerClient, if that is more); API keys may begin any number. Clients without key or token share as much as one.',
  ),
  messageIdsMaxBytesPerClient: option(
    bytes(KiB, 2 ** 40),
    40 * MiB,
    'Maximum memory for the messageIds of one key, user or session, which are remembered for 5 minutes. An id takes 64 bytes: the default allows 2184 new ids per second.',
  ),
  messageIdsMaxBytes: option(
    bytes(4 * KiB, 2 ** 40),
    160 * MiB,
    'Maximum memory for all messageIds; clients without key or token share a quarter.',
  ),
  topicHistoryMaxPublications: liveOption(
    namespaceKinds.topicHistoryMaxPublications,
    1000,
    'Maximum number of publications in the history of a topic.',
  ),
  topicHistoryMaxAgeSeconds: liveOption(
    namespaceKinds.topicHistoryMaxAgeSeconds,
    3600,
    'Maximum age of publications in the history of a topic.',
  ),
  topicHistoryMaxBytes: liveOption(
    namespaceKinds.topicHistoryMaxBytes,
    MiB,
    'Maximum size of the history of a topic.',
  ),
  historyMaxBytes: option(
    bytes(KiB, 2 ** 40),
    256 * MiB,
    'Maximum size of all histories and states together; the histories of idle topics are evicted first.',
  ),
  historyMaxBytesPerClient: option(
    bytes(KiB, 2 ** 40),
    16 * MiB,
    'The same of what one user, or one address without a token, has published; keys have no such limit. Values of clients leave a quarter of all to keys.',
  ),
} as const;

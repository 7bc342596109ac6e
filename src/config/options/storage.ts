import { namespaceKinds } from '../namespaces.ts';
import { boolean, bytes, choice, integer, list, redisUrlFault, secretText, text } from '../values.ts';
import { count, filePath, KiB, MiB, option } from './option.ts';

/** Where topics are stored, and how much of them. */
export const storageOptions = {
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
  redisCaFile: option(
    filePath,
    '',
    'Engine redis, with TLS: certificates (PEM) of the authorities that sign those of Redis; absent: the authorities that Node knows.',
  ),
  redisCertFile: option(filePath, '', 'Engine redis, with TLS: certificate (PEM) that this gateway shows.'),
  redisKeyFile: option(filePath, '', 'Engine redis, with TLS: key (PEM) of that certificate.'),
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
  topicsMaxPerClient: option(
    count,
    25_000,
    'Topics that exist because one user, or one address without a token, has published to them. Keys may make all. No client makes more than are then left to others; those without key or token make a quarter of all.',
  ),
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
} as const;

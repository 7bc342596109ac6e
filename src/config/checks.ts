import { hasCredentials, hasPublicKeys } from './access.ts';
import type { NamespaceOptions } from './namespaces.ts';
import { movedNamespaces, systemNamespaces } from './options/compat.ts';
import { type Config, options } from './options.ts';
import { formatBytes, isLoopback } from './values.ts';

type SizeName = {
  [K in keyof Config]: Config[K] extends number ? K : never;
}[keyof Config];

const atLeast = (config: Config, left: SizeName, right: SizeName): string | undefined =>
  config[left] >= config[right]
    ? undefined
    : `${left} (${formatBytes(config[left])}) must be at least ${right} (${formatBytes(config[right])})`;

/** Ports, hosts and files to listen on. */
function listenerFaults(config: Config): (string | undefined)[] {
  const { tlsCertFile, tlsKeyFile, adminPort, adminHost, port, proxyPort } = config;
  return [
    (tlsCertFile === '') === (tlsKeyFile === '')
      ? undefined
      : 'tlsCertFile and tlsKeyFile belong together: give both',
    proxyPort !== undefined && config.trustedProxies.length === 0
      ? 'proxyPort is for the proxies of trustedProxies, which names none'
      : undefined,
    proxyPort !== undefined && proxyPort !== 0 && proxyPort === port
      ? 'proxyPort must be another port than port'
      : undefined,
    adminPort !== undefined &&
    adminPort !== 0 &&
    adminPort === port &&
    (adminHost === '' || adminHost === config.host)
      ? 'adminPort must be another port than port'
      : undefined,
    adminHost !== '' && adminPort === undefined
      ? 'adminHost is the address of adminPort, which is not set'
      : undefined,
  ];
}

/** Without keys only loopback is safe: every client that reaches the port could publish and administrate. */
function bindsSafely(config: Config): string | undefined {
  const isFar = (name: 'host' | 'adminHost') => config[name] !== '' && !isLoopback(config[name]);
  const far = (['host', 'adminHost'] as const).find(isFar);
  if (far === undefined || hasCredentials(config)) return undefined;
  const setters = options
    .filter(({ name }) => name === 'apiKeys' || name === 'tokenSecret')
    .map(({ env, flag }) => `${env} (${flag})`);
  return (
    `${far} ${config[far]} can be reached from other machines, so the gateway needs credentials: ` +
    `set ${setters.join(' or ')}, or listen on 127.0.0.1`
  );
}

/** `compatPort` needs the system b, and each system has one namespace of its own. */
function compatFaults({ compat, compatPort, port, compatNamespaces }: Config): (string | undefined)[] {
  const moved = movedNamespaces(compatNamespaces);
  const systems = [...new Set(compat)];
  const used = new Set(systems.map((system) => moved.get(system) ?? systemNamespaces[system]));
  return [
    compatPort === undefined || compat.includes('b')
      ? undefined
      : 'compatPort is for system b, which compat does not name',
    compatPort !== undefined && compatPort !== 0 && compatPort === port
      ? 'compatPort must be another port than port'
      : undefined,
    moved.size < compatNamespaces.length ? 'compatNamespaces names a system twice' : undefined,
    used.size < systems.length ? 'compatNamespaces gives two systems one namespace' : undefined,
  ];
}

/** Where tokens come from, and what they are signed with. */
function tokenFaults(config: Config): string[] {
  const faults = [];
  const wants = (algorithm: string) => config.tokenAlgorithms.includes(algorithm);
  if (config.tokenKeysFile !== '' && config.tokenKeysUrl !== '') {
    faults.push('tokenKeysFile and tokenKeysUrl are two sources of the same keys: give one of them');
  }
  if (wants('HS256') && config.tokenSecret === undefined)
    faults.push('tokenAlgorithms has HS256, which needs tokenSecret');
  if (config.tokenAlgorithms.some((algorithm) => algorithm !== 'HS256') && !hasPublicKeys(config)) {
    faults.push('tokenAlgorithms has algorithms of public keys, which need tokenKeysFile or tokenKeysUrl');
  }
  return faults;
}

const hookUrls = ['hookConnect', 'hookSubscribe', 'hookPublish', 'hookCall', 'hookEvents'] as const;

/** Hooks need a secret, by which the application knows who asks. */
function hookFault(config: Config): string | undefined {
  const named = hookUrls.find((name) => config[name] !== '');
  if (named === undefined || config.hookSecret !== undefined) return undefined;
  return `${named} needs hookSecret, by which its requests are signed`;
}

/** Which servers of Redis are meant, and how they are reached by TLS. */
function redisFaults(config: Config): (string | undefined)[] {
  const { redis, redisKind, redisCaFile, redisCertFile, redisKeyFile } = config;
  const files = [redisCaFile, redisCertFile, redisKeyFile].filter((file) => file !== '');
  return [
    redisKind !== 'single' || redis.length === 1
      ? undefined
      : `redis must be one URL, not ${redis.length}, where redisKind is single`,
    redisKind === 'single' || !redis.some((url) => /[1-9]/.test(new URL(url).pathname))
      ? undefined
      : `redis must name no database where redisKind is ${redisKind}: it has the keys in database 0`,
    (redisCertFile === '') === (redisKeyFile === '')
      ? undefined
      : 'redisCertFile and redisKeyFile belong together: give both',
    files.length === 0 || redis.some((url) => url.startsWith('rediss:'))
      ? undefined
      : 'redisCaFile, redisCertFile and redisKeyFile are for TLS, which only rediss:// speaks',
  ];
}

/**
 * A topic's history must fit into the total and hold at least one publication; a batch must fit into the send buffer.
 */
function ringFaults(config: Config, own: Pick<Config, 'topicHistoryMaxBytes' | 'batchMaxBytes'>): string[] {
  const faults = [];
  if (
    own.topicHistoryMaxBytes > config.historyMaxBytes ||
    own.topicHistoryMaxBytes < config.payloadMaxBytes
  ) {
    faults.push(
      `topicHistoryMaxBytes (${formatBytes(own.topicHistoryMaxBytes)}) must be between payloadMaxBytes ` +
        `(${formatBytes(config.payloadMaxBytes)}) and historyMaxBytes (${formatBytes(config.historyMaxBytes)})`,
    );
  }
  if (config.backpressureMaxBytes < own.batchMaxBytes) {
    faults.push(
      `batchMaxBytes (${formatBytes(own.batchMaxBytes)}) must be at most ` +
        `backpressureMaxBytes (${formatBytes(config.backpressureMaxBytes)})`,
    );
  }
  return faults;
}

/** Options that would silently do nothing. */
function modeFaults({ mode, refreshMs }: NamespaceOptions): string[] {
  return refreshMs > 0 && mode !== 'state' ? ['refreshMs is for the mode state: a stream has no values'] : [];
}

/** A fault that namespaces inherit is listed once, without their names. */
function allRingFaults(config: Config): string[] {
  const general = ringFaults(config, config);
  const own = Object.entries(config.namespaces).flatMap(([name, namespace]) =>
    [...ringFaults(config, namespace), ...modeFaults(namespace)]
      .filter((fault) => !general.includes(fault))
      .map((fault) => `namespaces.${name}: ${fault}`),
  );
  return [...general, ...own];
}

/** Faults between options, a sentence each. */
export function crossFaults(config: Config): string[] {
  const sizes = [
    bindsSafely(config),
    ...compatFaults(config),
    ...listenerFaults(config),
    config.payloadMaxBytes < config.frameMaxBytes
      ? undefined
      : `payloadMaxBytes (${formatBytes(config.payloadMaxBytes)}) must be less than ` +
        `frameMaxBytes (${formatBytes(config.frameMaxBytes)})`,
    atLeast(config, 'bodyMaxBytes', 'frameMaxBytes'),
    // A buffer overshoots its limit by one frame, so with the largest payload it at most doubles.
    atLeast(config, 'backpressureMaxBytes', 'payloadMaxBytes'),
    atLeast(config, 'backpressureTotalMaxBytes', 'backpressureMaxBytes'),
    atLeast(config, 'requestsMaxBytes', 'requestsMaxBytesPerClient'),
    ...tokenFaults(config),
    hookFault(config),
    ...redisFaults(config),
    config.sync && config.engine !== 'lmdb' ? `sync is for the engine lmdb, not ${config.engine}` : undefined,
  ];
  return [...sizes.filter((fault) => fault !== undefined), ...allRingFaults(config)];
}

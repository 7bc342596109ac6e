import { lookup } from 'node:dns';
import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { type RedisOptions as ClientOptions, Cluster, Redis, type SentinelConnector } from 'ioredis';
import { readRegularFile } from '../../regular-file.ts';
import type { RedisServer, TlsFiles } from './options.ts';

export type Argument = string | number | Buffer;

/**
 * One connection; in a cluster, one to each server that is needed. It does not reconnect, and never sends a command
 * twice.
 */
export interface RedisConnection {
  /** Whether it may subscribe to a channel and still take commands: not in a cluster, nor if Redis lacks HELLO. */
  readonly pushes: boolean;
  /** Replies have their texts as bytes. Rejects with an error of Redis or of the connection, see `isRefusal`. */
  call(command: string, ...args: Argument[]): Promise<unknown>;
  /**
   * Writes something, and waits up to `timeoutMs` for replicas: of the server that has what was written, over the
   * connection that all writes go by. Resolves with how many have all that is there by then.
   */
  replicate(write: readonly [string, ...Argument[]], min: number, timeoutMs: number): Promise<number>;
  subscribe(channel: string): Promise<void>;
  /** Called with each message of a channel, before the replies to commands that Redis takes after it. */
  heard: ((message: Buffer) => void) | undefined;
  /**
   * The run ids of the masters of a cluster that say that this key is another's; without a cluster there are none. A
   * master that was replaced without its knowledge still says that it has the key, and becomes a replica once it knows.
   */
  mastersWithout(key: string): Promise<readonly string[]>;
  close(): void;
}

/** Whether Redis itself refused the command, so that it was not done. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

/** Whether Redis refuses this user, or commands that a gateway needs. */
export function refusesUser({ message }: Error): boolean {
  return /^(?:WRONGPASS|NOAUTH|NOPERM|ERR unknown command)/i.test(message) || refusesInScript.test(message);
}

/** The user lacks a right, by the words of several versions; or the command is not there. */
const refusesInScript =
  /can't run this command or subcommand|ACL failure in script|Unknown (?:Redis )?command called from/;

/** Names the command that a script may not use, as Redis tells only the line. */
export function nameRefused(error: Error, script: string): void {
  const line = /@user_script: ?(\d+)/.exec(error.message)?.[1];
  if (line === undefined || !refusesInScript.test(error.message)) return;
  const command = /redis\.p?call\('(\w+)'/.exec(script.split('\n')[Number(line) - 1] ?? '')?.[1];
  if (command !== undefined) error.message += ` (the command is ${command})`;
}

/** Resolves when it is ready; rejects with what went wrong. `ended` is called once it is over, however it ends. */
export async function connect(
  server: RedisServer,
  role: 'commands' | 'tail',
  ended: () => void,
): Promise<RedisConnection> {
  const identity = new Identity(server.urls);
  const client = clientOf({ ...server, tls: readFiles(server.tlsFiles) }, role, identity);
  return new Promise((resolve, reject) => {
    let cause: Error = new Error('the connection ended');
    // Of a cluster, the library says only that no server gave the slots.
    client.on('error', (error: Error & { readonly lastNodeError?: Error }) => {
      cause = error.lastNodeError ?? error;
    });
    client.on('end', () => {
      reject(identity.problem ?? cause);
      ended();
    });
    const connection: RedisConnection = {
      get pushes() {
        return client instanceof Redis && client.condition?.protocol === 3;
      },
      heard: undefined,
      subscribe: async (channel) => void (await client.subscribe(channel)),
      call: (command, ...args) => client.callBuffer(command, ...args),
      replicate: (write, min, timeoutMs) => replicate(client, write, min, timeoutMs),
      mastersWithout: (key) => mastersWithout(client, key),
      close: () => client.disconnect(),
    };
    client.on('messageBuffer', (_channel: Buffer, message: Buffer) => connection.heard?.(message));
    client
      .connect()
      .then(() => select(client, databaseOf(server)))
      .then(
        () => resolve(connection),
        (error: Error) => {
          client.disconnect();
          reject(identity.problem ?? (cause.message === 'the connection ended' ? error : cause));
        },
      );
  });
}

/** The library ignores that it could not select the database, and would go on in the first one. */
async function select(client: Redis | Cluster, database: number): Promise<void> {
  if (database > 0) await client.select(database);
}

/** Alone, `WAIT` would go to any master of a cluster: it has no key. A pipeline goes to the server of its keys. */
async function replicate(
  client: Redis | Cluster,
  write: readonly [string, ...Argument[]],
  min: number,
  timeoutMs: number,
): Promise<number> {
  const replies = await client
    .pipeline()
    .call(...write)
    .call('WAIT', min, timeoutMs)
    .exec();
  for (const [error] of replies ?? []) if (error !== null) throw error;
  return Number(replies?.[1]?.[1]);
}

async function mastersWithout(client: Redis | Cluster, key: string): Promise<readonly string[]> {
  if (!(client instanceof Cluster)) return [];
  const runs = await Promise.all(
    client.nodes('all').map((node) => runWithout(node, key).catch(() => undefined)),
  );
  return runs.filter((run) => run !== undefined);
}

async function runWithout(node: Redis, key: string): Promise<string | undefined> {
  const moved = await node.exists(key).then(
    () => false,
    (error: Error) => isRefusal(error) && error.message.startsWith('MOVED '),
  );
  const info = await node.info();
  return moved && /^role:master/m.test(info) ? /^run_id:(\w+)/m.exec(info)?.[1] : undefined;
}

/** The addresses, without credentials. */
export function placesOf({ urls }: RedisServer): string {
  return urls
    .map((url) => addressOf(url))
    .map(({ host, port }) => `${host}:${port}`)
    .join(', ');
}

/** The number of the database in which the keys are. */
export function databaseOf({ kind, urls: [url = ''] }: RedisServer): number {
  return kind === 'single' ? (addressOf(url).db ?? 0) : 0;
}

interface Tls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly servername?: string;
  readonly checkServerIdentity?: typeof checkServerIdentity;
}

type ReachedServer = RedisServer & { readonly tls: Tls };

function readFiles({ ca, cert, key }: TlsFiles = {}): Tls {
  return {
    ...(ca !== undefined && { ca: readRegularFile(ca) }),
    ...(cert !== undefined && { cert: readRegularFile(cert) }),
    ...(key !== undefined && { key: readRegularFile(key) }),
  };
}

const never = () => null;

function clientOf(server: ReachedServer, role: 'commands' | 'tail', identity: Identity): Redis | Cluster {
  const common = commonOptions(server, role);
  const [url = ''] = server.urls;
  if (server.kind === 'single') return new Redis({ ...common, ...named(addressOf(url, server.tls)) });
  // Others of the group have names of their own.
  const { tls, username, password } = addressOf(url, { ...server.tls, checkServerIdentity: identity.check });
  if (server.kind === 'sentinel') {
    const client = new Redis({
      ...common,
      name: server.sentinelName,
      sentinels: server.urls.map((each) => addressOf(each)).map(({ host, port }) => ({ host, port })),
      ...(username !== undefined && { sentinelUsername: username }),
      ...(password !== undefined && { sentinelPassword: password }),
      ...(tls !== undefined && { tls, sentinelTLS: tls, enableTLSForSentinelMode: true }),
      sentinelRetryStrategy: never,
      sentinelCommandTimeout: server.timeoutMs,
      failoverDetector: true,
    });
    handleSentinelErrors(client);
    return client;
  }
  const credentials = {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
  };
  const cluster = new Cluster(
    server.urls.map((each) => addressOf(each)).map(({ host, port }) => ({ host, port })),
    {
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: never,
      // The library would ask any one server for it, which may be the one that can't be reached.
      enableReadyCheck: false,
      slotsRefreshTimeout: server.timeoutMs,
      // ioredis tries one address of a name only, and a Redis rarely listens on the IPv6 one alone.
      dnsLookup: (name, callback) => lookup(name, { order: 'ipv4first' }, callback),
      redisOptions: { ...common, ...credentials, ...(tls !== undefined && { tls }) },
    },
  );
  cluster.on('+node', handleAsking);
  return cluster;
}

/**
 * The library sends ASKING before a command for a server to which a slot is being moved, and ignores the promise. Where
 * it rejects, the command fails as well; unhandled, the rejection would end the process.
 */
function handleAsking(node: Redis): void {
  const asking = node.asking.bind(node) as () => Promise<'OK'>;
  node.asking = () => {
    const reply = asking();
    reply.catch(() => undefined);
    return reply;
  };
}

/**
 * The library waits at all Sentinels for a failover, and prints each failed connection to one of them. One that answers
 * is enough.
 */
function handleSentinelErrors(client: Redis): void {
  const connector = client['connector'] as SentinelConnector;
  const connectTo = connector['connectToSentinel'].bind(connector) as (...about: unknown[]) => Redis;
  connector['connectToSentinel'] = (...about: unknown[]) => connectTo(...about).on('error', () => undefined);
}

function commonOptions(
  { timeoutMs, kind, username, password }: RedisServer,
  role: 'commands' | 'tail',
): ClientOptions {
  return {
    lazyConnect: true,
    // With 3, a connection that has subscribed still takes commands. Where Redis refuses it, the library takes 2.
    protocol: kind !== 'cluster' && role === 'tail' ? 3 : 2,
    connectTimeout: timeoutMs,
    // The tail of a cluster blocks until something is published, so its commands have no time-out.
    ...((kind !== 'cluster' || role === 'commands') && { commandTimeout: timeoutMs }),
    ...(kind === 'sentinel' && username !== undefined && { username }),
    ...(kind === 'sentinel' && password !== undefined && { password }),
    connectionName: `sluice-${role}`,
    // `CLIENT SETINFO` is a right of its own, which Redis before 7.2 does not know and later ones log the lack of.
    disableClientInfo: true,
    retryStrategy: never,
    maxRetriesPerRequest: 0,
    // The library asks by INFO, and writes to standard error where the user may not. It needs the reply behind a
    // Sentinel, for the role. A Redis that is still loading refuses the first script.
    enableReadyCheck: kind !== 'single',
    maxLoadingRetryTime: timeoutMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
  };
}

interface Address {
  readonly host: string;
  readonly port: number;
  readonly db?: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: Tls;
}

export function addressOf(text: string, tls: Tls = {}): Address {
  const { protocol, hostname, port, pathname, username, password } = new URL(text);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const db = Number(pathname.slice(1));
  return {
    host,
    port: port === '' ? 6379 : Number(port),
    ...(db > 0 && { db }),
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' && { tls }),
  };
}

/** SNI takes names, not addresses. */
function named(address: Address): Address {
  const { host, tls } = address;
  return tls === undefined || isIP(host) !== 0 ? address : { ...address, tls: { ...tls, servername: host } };
}

/**
 * Other servers of a group are found by what the first one says, often by addresses. The certificate of each is to be
 * for that, or for a host of the configuration.
 */
class Identity {
  readonly #hosts: readonly string[];
  /** Why a server of a group was refused: the library only says that the group can't be reached. */
  problem: Error | undefined;

  constructor(urls: readonly string[]) {
    this.#hosts = urls.map((url) => addressOf(url).host);
  }

  readonly check = (host: string, certificate: PeerCertificate): Error | undefined => {
    const problem = checkServerIdentity(host, certificate);
    if (problem === undefined || this.#hosts.some((each) => !checkServerIdentity(each, certificate)))
      return undefined;
    this.problem = problem;
    return problem;
  };
}

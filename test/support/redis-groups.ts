import { execFileSync } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { lastingPort } from './gateway-process.ts';
import { type RedisProcess, type RedisTls, startRedisBy, startSentinel } from './redis-server.ts';

/** A server that is silent for less is not replaced: on a busy machine it only waits for its turn. */
const silentMs = 60_000;

/** Servers of Redis that belong together. */
export interface RedisGroup {
  readonly urls: readonly string[];
  readonly servers: readonly RedisProcess[];
  remove(): Promise<void>;
}

export interface RedisCluster extends RedisGroup {
  /** Moves the slot of these keys to another master, key by key, while it is in use. */
  migrate(hashTag: string): Promise<void>;
  /** Kills the master of these keys, makes its replica the master, and starts the former as the replica of that. */
  failOver(hashTag: string, awayMs: number): Promise<void>;
}

/**
 * Three masters that share the slots; the last `replicas` of them have one replica each. `urls` are the masters'.
 */
export async function startRedisCluster({
  tls,
  replicas = 0,
}: {
  readonly tls?: RedisTls;
  readonly replicas?: number;
} = {}): Promise<RedisCluster> {
  const options = [
    ...['--cluster-enabled', 'yes', '--cluster-node-timeout', String(silentMs)],
    ...['--repl-diskless-sync-delay', '0'],
    ...(tls === undefined ? [] : ['--tls-cluster', 'yes']),
  ];
  // By default the bus is at 10000 more than the port, where the system has connections of its own.
  const start = async () => {
    const bus = String(await lastingPort());
    return { bus, server: await startRedisBy(tls, ...options, '--cluster-port', bus) };
  };
  const started = await Promise.all(Array.from({ length: masters + replicas }, start));
  const servers = started.map(({ server }) => server);
  const askIt = (node: number, ...command: string[]) =>
    ask((servers[node] as RedisProcess).port, command, tls);
  const bounds = [0, 5461, 10_923, 16_384] as const;
  for (let i = 0; i < masters; i++)
    askIt(i, 'CLUSTER', 'ADDSLOTSRANGE', String(bounds[i]), String((bounds[i + 1] as number) - 1));
  // Different ones, or two may both have a slot that is moved.
  for (let i = 0; i < servers.length; i++) askIt(i, 'CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
  for (const { bus, server } of started.slice(1))
    askIt(0, 'CLUSTER', 'MEET', '127.0.0.1', String(server.port), bus);
  for (let i = 0; i < servers.length; i++) {
    const isIn = () => {
      const info = askIt(i, 'CLUSTER', 'INFO');
      return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${servers.length}`);
    };
    while (!isIn()) await setTimeout(20);
  }
  for (let i = masters; i < servers.length; i++) {
    askIt(i, 'CLUSTER', 'REPLICATE', askIt(i - replicas, 'CLUSTER', 'MYID').trim());
    while (!askIt(i, 'INFO', 'replication').includes('master_link_status:up')) await setTimeout(20);
  }
  return {
    urls: servers.slice(0, masters).map(({ port }) => urlOf(port, tls)),
    servers,
    migrate: (hashTag) => migrate(servers, hashTag),
    failOver: (hashTag, awayMs) => failOver(servers, hashTag, awayMs),
    remove: async () => void (await Promise.all(servers.map((server) => server.remove()))),
  };
}

const masters = 3;

const askIt = ({ port }: RedisProcess, ...command: string[]) => ask(port, command);

/** The slot of these keys, and which of the servers has it. */
function ownerOf(servers: readonly RedisProcess[], hashTag: string): { slot: string; owner: number } {
  const slot = askIt(servers[0] as RedisProcess, 'CLUSTER', 'KEYSLOT', `{${hashTag}}`).trim();
  const hasKeys = (server: RedisProcess) => Number(askIt(server, 'CLUSTER', 'COUNTKEYSINSLOT', slot)) > 0;
  return { slot, owner: servers.findIndex(hasKeys) };
}

async function failOver(all: readonly RedisProcess[], hashTag: string, awayMs: number): Promise<void> {
  const { owner } = ownerOf(all.slice(0, masters), hashTag);
  const replica = all[owner + all.length - masters] as RedisProcess;
  await (all[owner] as RedisProcess).kill();
  await setTimeout(awayMs);
  askIt(replica, 'CLUSTER', 'FAILOVER', 'TAKEOVER');
  while (!askIt(replica, 'INFO', 'replication').includes('role:master')) await setTimeout(20);
  await (all[owner] as RedisProcess).start();
}

async function migrate(all: readonly RedisProcess[], hashTag: string): Promise<void> {
  const servers = all.slice(0, masters);
  const ids = servers.map((server) => askIt(server, 'CLUSTER', 'MYID').trim());
  const { slot, owner } = ownerOf(servers, hashTag);
  const target = (owner + 1) % servers.length;
  const [from, to] = [servers[owner] as RedisProcess, servers[target] as RedisProcess];
  askIt(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[owner] as string);
  askIt(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[target] as string);
  // Over one connection: a process for each of some hundred commands takes a busy machine a minute.
  const client = new Redis(from.url);
  for (;;) {
    const keys = (await client.call('CLUSTER', 'GETKEYSINSLOT', slot, 10)) as string[];
    if (keys.length === 0) break;
    await client.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys);
    await setTimeout(1);
  }
  client.disconnect();
  for (const server of [to, from, ...servers])
    askIt(server, 'CLUSTER', 'SETSLOT', slot, 'NODE', ids[target] as string);
}

export interface RedisWithSentinel extends RedisGroup {
  readonly master: RedisProcess;
  /** Kills the master; once the replica is made the master, starts it again as the replica of that. */
  failOver(): Promise<void>;
}

/**
 * A master, its replica, and a Sentinel: `urls` are the Sentinel’s, which calls the master `main`. It makes the replica
 * the master when the master has been silent for `downAfterMs`.
 */
export async function startRedisWithSentinel({
  tls,
  downAfterMs = silentMs,
}: {
  readonly tls?: RedisTls;
  readonly downAfterMs?: number;
} = {}): Promise<RedisWithSentinel> {
  const options = ['--repl-diskless-sync-delay', '0'];
  const master = await startRedisBy(tls, ...options);
  const replica = await startRedisBy(tls, '--replicaof', '127.0.0.1', String(master.port), ...options);
  const askIt = ({ port }: RedisProcess, ...command: string[]) => ask(port, command, tls);
  while (!askIt(replica, 'INFO', 'replication').includes('master_link_status:up')) await setTimeout(20);
  const sentinel = await startSentinel(master.port, downAfterMs, tls);
  while (!askIt(sentinel, 'SENTINEL', 'REPLICAS', 'main').includes(String(replica.port)))
    await setTimeout(50);
  const servers = [master, replica, sentinel];
  return {
    urls: [urlOf(sentinel.port, tls)],
    servers,
    master,
    failOver: async () => {
      await master.kill();
      const masterPort = () => askIt(sentinel, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main').split('\n')[1];
      while (masterPort() !== String(replica.port)) await setTimeout(20);
      await master.start('--replicaof', '127.0.0.1', String(replica.port));
    },
    remove: async () => {
      await Promise.all(servers.map((server) => server.remove()));
    },
  };
}

function urlOf(port: number, tls: RedisTls | undefined): string {
  return `${tls === undefined ? 'redis' : 'rediss'}://127.0.0.1:${port}`;
}

function ask(port: number, command: readonly string[], tls?: RedisTls): string {
  const secured =
    tls === undefined ? [] : ['--tls', '--cacert', tls.cert, '--cert', tls.cert, '--key', tls.key];
  const args = ['-p', String(port), ...secured, ...command];
  return execFileSync('redis-cli', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

import { execFileSync } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { type RedisProcess, startRedis, startSentinel } from './redis-server.ts';

/** Servers of Redis that belong together. */
export interface RedisGroup {
  readonly urls: readonly string[];
  readonly servers: readonly RedisProcess[];
  remove(): Promise<void>;
}

export interface RedisCluster extends RedisGroup {
  /** Moves the slot of these keys to another master, key by key, while it is in use. */
  migrate(hashTag: string): Promise<void>;
}

/** Three masters that share the slots. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const options = [
    '--cluster-enabled',
    'yes',
    '--cluster-config-file',
    'nodes.conf',
    '--cluster-node-timeout',
    '2000',
  ];
  const servers = await Promise.all([1, 2, 3].map(() => startRedis(...options)));
  const places = servers.map(({ port }) => `127.0.0.1:${port}`);
  cli('--cluster', 'create', ...places, '--cluster-yes');
  for (const { port } of servers)
    while (!ask(port, 'CLUSTER', 'INFO').includes('cluster_state:ok')) await setTimeout(50);
  return {
    urls: servers.map(({ url }) => url),
    servers,
    migrate: (hashTag) => migrate(servers, hashTag),
    remove: async () => void (await Promise.all(servers.map((server) => server.remove()))),
  };
}

async function migrate(servers: readonly RedisProcess[], hashTag: string): Promise<void> {
  const [first] = servers as [RedisProcess];
  const slot = ask(first.port, 'CLUSTER', 'KEYSLOT', `{${hashTag}}`).trim();
  const ids = servers.map(({ port }) => ask(port, 'CLUSTER', 'MYID').trim());
  const owner = servers.findIndex(({ port }) => Number(ask(port, 'CLUSTER', 'COUNTKEYSINSLOT', slot)) > 0);
  const target = (owner + 1) % servers.length;
  const [from, to] = [servers[owner] as RedisProcess, servers[target] as RedisProcess];
  ask(to.port, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[owner] as string);
  ask(from.port, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[target] as string);
  for (;;) {
    const keys = ask(from.port, 'CLUSTER', 'GETKEYSINSLOT', slot, '10')
      .split('\n')
      .filter((key) => key !== '');
    if (keys.length === 0) break;
    ask(from.port, 'MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', 'KEYS', ...keys);
    await setTimeout(1);
  }
  for (const { port } of [to, from, ...servers])
    ask(port, 'CLUSTER', 'SETSLOT', slot, 'NODE', ids[target] as string);
}

export interface RedisWithSentinel extends RedisGroup {
  readonly master: RedisProcess;
  /** Kills the master; once the replica is made the master, starts it again as the replica of that. */
  failOver(): Promise<void>;
}

/** A master, its replica, and a Sentinel: `urls` are the Sentinel’s, which calls the master `main`. */
export async function startRedisWithSentinel(...options: string[]): Promise<RedisWithSentinel> {
  const all = ['--repl-diskless-sync-delay', '0', ...options];
  const master = await startRedis(...all);
  const replica = await startRedis('--replicaof', '127.0.0.1', String(master.port), ...all);
  while (!ask(replica.port, 'INFO', 'replication').includes('master_link_status:up')) await setTimeout(20);
  const sentinel = await startSentinel(master.port);
  while (!ask(sentinel.port, 'SENTINEL', 'REPLICAS', 'main').includes(String(replica.port)))
    await setTimeout(50);
  const servers = [master, replica, sentinel];
  return {
    ...{ urls: [sentinel.url], servers, master },
    failOver: async () => {
      await master.kill();
      const masterPort = () =>
        ask(sentinel.port, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main').split('\n')[1];
      while (masterPort() !== String(replica.port)) await setTimeout(20);
      await master.start('--replicaof', '127.0.0.1', String(replica.port));
    },
    remove: async () => {
      await Promise.all(servers.map((server) => server.remove()));
    },
  };
}

function ask(port: number, ...command: string[]): string {
  return cli('-p', String(port), ...command);
}

function cli(...args: string[]): string {
  return execFileSync('redis-cli', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastingPort } from './gateway-process.ts';

/** A server of Redis of this test alone, on a free port of this machine, in a folder of its own. */
export interface RedisProcess {
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  /** Ends it at once, as a crash would. What it was told to keep is kept. */
  kill(): Promise<void>;
  /** Starts it again with what it has kept; further options win over those before. */
  start(...options: string[]): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Ends it and removes its folder. */
  remove(): Promise<void>;
}

/** Paths of a certificate and its key: servers that have them speak TLS only, to clients that show one by the same. */
export interface RedisTls {
  readonly cert: string;
  readonly key: string;
}

/** Resolves once it takes connections. By default it keeps nothing on disk. */
export async function startRedis(...options: string[]): Promise<RedisProcess> {
  return startRedisBy(undefined, ...options);
}

export async function startRedisBy(tls: RedisTls | undefined, ...options: string[]): Promise<RedisProcess> {
  const { folder, port, args } = await place(tls);
  return run(folder, port, [...args, '--save', '', ...options], 'Ready to accept connections');
}

/** One that watches the master at this port, calls it `main`, and replaces it once it is gone for 1.5 seconds. */
export async function startSentinel(
  masterPort: number,
  downAfterMs: number,
  tls?: RedisTls,
): Promise<RedisProcess> {
  const { folder, port, args } = await place(tls);
  const file = join(folder, 'sentinel.conf');
  const lines = [
    `sentinel monitor main 127.0.0.1 ${masterPort} 1`,
    `sentinel down-after-milliseconds main ${downAfterMs}`,
    'sentinel failover-timeout main 10000',
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return run(folder, port, [file, '--sentinel', ...args], '+monitor master main');
}

async function place(tls: RedisTls | undefined): Promise<{ folder: string; port: number; args: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-redis-'));
  const port = await lastingPort();
  return { folder, port, args: [...portArgs(port, tls), '--bind', '127.0.0.1', '--dir', folder] };
}

function portArgs(port: number, tls: RedisTls | undefined): string[] {
  if (tls === undefined) return ['--port', String(port)];
  const files = ['--tls-cert-file', tls.cert, '--tls-key-file', tls.key, '--tls-ca-cert-file', tls.cert];
  return ['--port', '0', '--tls-port', String(port), '--tls-replication', 'yes', ...files];
}

async function run(
  folder: string,
  port: number,
  args: readonly string[],
  ready: string,
): Promise<RedisProcess> {
  let child = await launch(args, ready);
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return child.pid as number;
    },
    kill,
    start: async (...more) => {
      child = await launch([...args, ...more], ready);
    },
    signal: (signal) => void child.kill(signal),
    remove: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function launch(args: readonly string[], ready: string): Promise<ChildProcess> {
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`redis-server ended with ${code}: ${output}`)));
    child.stdout?.on('data', (data) => {
      output += data;
      if (output.includes(ready)) resolve();
    });
  });
  child.removeAllListeners('exit');
  child.stdout?.resume();
  return child;
}

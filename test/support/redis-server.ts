import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

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

/** Resolves once it takes connections. By default it keeps nothing on disk. */
export async function startRedis(...options: string[]): Promise<RedisProcess> {
  const { folder, port, args } = await place();
  return run(folder, port, [...args, '--save', '', ...options], 'Ready to accept connections');
}

/** One that speaks TLS only, to clients that show a certificate which the same authority has signed. */
export async function startTlsRedis(
  { cert, key }: { readonly cert: string; readonly key: string },
  ...options: string[]
): Promise<RedisProcess> {
  const { folder, port, args } = await place();
  const tls = ['--tls-port', String(port), '--port', '0', '--tls-cert-file', cert, '--tls-key-file', key];
  const all = [...args, '--save', '', ...tls, '--tls-ca-cert-file', cert, ...options];
  return run(folder, port, all, 'Ready to accept connections');
}

/** One that watches the master at this port, calls it `main`, and replaces it once it is gone for 1.5 seconds. */
export async function startSentinel(masterPort: number): Promise<RedisProcess> {
  const { folder, port, args } = await place();
  const file = join(folder, 'sentinel.conf');
  const lines = [
    `sentinel monitor main 127.0.0.1 ${masterPort} 1`,
    'sentinel down-after-milliseconds main 1500',
    'sentinel failover-timeout main 10000',
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return run(folder, port, [file, '--sentinel', ...args], '+monitor master main');
}

async function place(): Promise<{ folder: string; port: number; args: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-redis-'));
  const port = await freePort();
  return { folder, port, args: ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder] };
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

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { commandLine } from './command-line.ts';
import { metricAt } from './metric-at.ts';

const root = resolve(import.meta.dirname, '../..');

/** A gateway in a process of its own, so that it can be killed. */
export class GatewayProcess {
  readonly url: string;
  readonly port: number;
  /** What it has written to standard error so far. */
  complaints = '';
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
    this.port = Number(new URL(url).port);
    child.stderr?.on('data', (chunk: Buffer) => {
      this.complaints += chunk.toString();
    });
  }

  static start(...flags: readonly string[]): Promise<GatewayProcess> {
    return GatewayProcess.#start(process.execPath, [], flags);
  }

  /** Each of its processes may open this many files. */
  static startWithFiles(most: number, ...flags: readonly string[]): Promise<GatewayProcess> {
    return GatewayProcess.#start(
      'bash',
      ['-c', `ulimit -n ${most} && exec "$0" "$@"`, process.execPath],
      flags,
    );
  }

  static async #start(command: string, before: readonly string[], flags: readonly string[]) {
    // What it leaves when it is killed, or one of its workers is, goes with it.
    const temporary = mkdtempSync(join(tmpdir(), 'sluice-gateway-'));
    const child = spawn(
      command,
      [...before, ...commandLine(), 'serve', '--host', '127.0.0.1', '--no-canary', ...flags],
      { cwd: root, env: { ...process.env, TMPDIR: temporary }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    // Its workers, which have the same output, may outlive it by a moment, and make files meanwhile.
    child.once('close', () => rmSync(temporary, { recursive: true, force: true }));
    try {
      return new GatewayProcess(child, await readyUrl(child));
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  /** Asks it to end; resolves with its exit code. */
  async stop(): Promise<number | null> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const [code] = (await exited) as [number | null];
    return code;
  }

  /** As a crash would: no close frames. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  async publish(topic: string, type: string, key: string, data: unknown, headers = {}): Promise<void> {
    const response = await fetch(`${this.url}/api/publish`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ topic, type, key, data }),
    });
    if (!response.ok) throw new Error(await response.text());
  }

  metric(name: string, headers = {}): Promise<number> {
    return metricAt(this.url, name, headers);
  }
}

/** Each is given once: it may be bound a while later. */
const givenPorts = new Set<number>();
/** Each of the four processes that run tests beside each other has ports of its own. */
const portsEach = 3000;
const firstPort = 20_000 + portsEach * (Number(process.env['VITEST_POOL_ID'] ?? 0) % 4);

/**
 * A port to start on twice. Not one that the system hands out by itself: those may be taken by any outgoing
 * connection meanwhile, and Linux keeps one that was bound as 0 busy while connections of the killed process linger.
 */
export async function lastingPort(): Promise<number> {
  for (;;) {
    const port = firstPort + Math.floor(Math.random() * portsEach);
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (!free || givenPorts.has(port)) continue;
    givenPorts.add(port);
    return port;
  }
}

async function readyUrl(child: ChildProcess): Promise<string> {
  let output = '';
  return new Promise((resolve, reject) => {
    const look = (chunk: Buffer): void => {
      output += chunk.toString();
      const url = /Sluice is ready: (http:\/\/[^\s"]+)/.exec(output)?.[1];
      if (url) resolve(url);
    };
    child.stdout?.on('data', look);
    child.stderr?.on('data', look);
    child.once('exit', () => reject(new Error(`the gateway ended before it was ready:\n${output}`)));
  });
}

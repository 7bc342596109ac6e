import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { lastingPort } from '../../test/support/gateway-process.ts';
import { root } from './build.ts';
import { endNode, serverCore, startNode } from './core.ts';
import { Scrape } from './scrape.ts';

/** A load from a few addresses must not be taken for an attack. */
const roomyFlags: readonly string[] = [
  '--shutdown-grace-seconds=1',
  '--connections-max=100000',
  '--connections-max-per-ip=100000',
  '--unauthenticated-max-per-ip=100000',
  '--handshakes-per-second-per-ip=1000000',
  '--http-connections-per-second-per-ip=1000000',
  '--http-connections-max=100000',
];

/** A gateway in a process of its own. */
export interface Gateway {
  readonly pid: number;
  readonly port: number;
  /** All its metrics as of now. */
  scrape(): Promise<Scrape>;
  /** The sum of a metric over its labels. */
  metric(name: string): Promise<number>;
  /** As a crash would. */
  kill(): Promise<void>;
  /** Stops the process for this time: it does nothing, and its connections stay. */
  suspend(ms: number): Promise<void>;
  end(): Promise<void>;
}

/**
 * Starts what `npm run build` made, and returns once it listens. Without `port` on a free one. `core`: absent: on the
 * core of what is measured.
 */
export async function startGateway(
  flags: readonly string[],
  port?: number,
  core: number | 'all' = serverCore,
): Promise<Gateway> {
  const chosen = port ?? (await lastingPort());
  const args = [join(root, 'dist', 'cli.js'), 'serve', `--port=${chosen}`, ...roomyFlags, ...flags];
  const child = startNode(core === 'all' ? undefined : core, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  await listening(child);
  return {
    pid: child.pid!,
    port: chosen,
    scrape: () => scrape(chosen),
    metric: async (name) => (await scrape(chosen)).value(name),
    kill: () => endNode(child, 'SIGKILL'),
    suspend: async (ms) => {
      child.kill('SIGSTOP');
      await setTimeout(ms);
      child.kill('SIGCONT');
    },
    end: () => endNode(child, 'SIGTERM'),
  };
}

const keptLines = 50;

/** Its output is read all the time, or the pipe would fill. */
function listening(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    let listens = false;
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        said.push(line);
        if (said.length > keptLines) said.shift();
        if (!line.includes('Sluice is ready')) return;
        listens = true;
        resolve();
      });
    }
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      const problem = `the gateway ended with ${code ?? signal}:\n${said.join('\n')}`;
      if (!listens) reject(new Error(problem));
      // Being killed and ending in peace is how runs go on; anything else has to be seen.
      else if (code !== 0 && signal !== 'SIGKILL') process.stderr.write(`${problem}\n`);
    });
  });
}

async function scrape(port: number): Promise<Scrape> {
  return new Scrape(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
}

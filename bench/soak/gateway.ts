import { readdirSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type * as ConfigModule from '../../src/config.ts';
import type * as ServerModule from '../../src/server.ts';
import { serveCalls } from '../support/worker.ts';

/** A gateway in a process that collects its garbage when it is told to. */

// The output of `npm run build`, which is what ships.
const built = (file: string) => import(new URL(`../../dist/${file}`, import.meta.url).href);
const { loadConfig } = (await built('config.js')) as typeof ConfigModule;
const { startServer } = (await built('server.js')) as typeof ServerModule;

let server: ServerModule.RunningServer;

async function start(flags: Readonly<Record<string, unknown>>): Promise<number> {
  server = await startServer(loadConfig({ flags: { port: 0, logLevel: 'warn', ...flags } }));
  return server.port;
}

export interface Memory {
  readonly heapBytes: number;
  readonly externalBytes: number;
}

const looks = 5;

/** Memory after garbage collection: the minimum of several measurements, because work in progress differs. */
async function memory(): Promise<Memory> {
  const seen: Memory[] = [];
  for (let i = 0; i < looks; i++) {
    globalThis.gc?.();
    await setTimeout(200);
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    seen.push({ heapBytes: heapUsed, externalBytes: external });
  }
  const sum = ({ heapBytes, externalBytes }: Memory) => heapBytes + externalBytes;
  return seen.reduce((least, each) => (sum(each) < sum(least) ? each : least));
}

export interface HeldResources {
  /** Open files, sockets among them. */
  readonly files: number;
  /** The active resources of the event loop, according to Node. */
  readonly resources: number;
  readonly connections: number;
  readonly httpConnections: number;
  readonly subscriptions: number;
  readonly views: number;
  readonly topics: number;
  readonly sessionsLagging: number;
  readonly backpressureBytes: number;
}

async function held(): Promise<HeldResources> {
  const text = await server.metrics.registry.metrics();
  const value = (name: string) =>
    text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  return {
    files: readdirSync('/proc/self/fd').length,
    resources: process.getActiveResourcesInfo().length,
    connections: value('sluice_connections'),
    httpConnections: value('sluice_http_connections'),
    subscriptions: value('sluice_subscriptions'),
    views: value('sluice_views'),
    topics: value('sluice_topics'),
    sessionsLagging: value('sluice_sessions_lagging'),
    backpressureBytes: value('sluice_backpressure_bytes'),
  };
}

const handlers = { start, memory, held };
export type GatewayCalls = typeof handlers;
serveCalls(handlers);

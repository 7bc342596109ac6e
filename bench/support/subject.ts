import type { RawCalls, RawOptions } from '../peers/raw-uws.ts';
import type { SluiceCalls } from '../peers/sluice.ts';
import { serverCore } from './core.ts';
import { Worker } from './worker.ts';

/** Servers that publish in their own process: raw uWebSockets.js, and the gateway as a library. */

/** As options of the library: what the gateway's process takes as `--max-connections-per-ip` and so on. */
const roomy = {
  maxConnections: 100_000,
  maxConnectionsPerIp: 100_000,
  handshakesPerSecondPerIp: 1_000_000,
  commandsPerSecond: 1_000_000,
};

export async function startRaw(options: RawOptions, nodeArgs: readonly string[] = []) {
  const worker = new Worker<RawCalls>(new URL('../peers/raw-uws.ts', import.meta.url), serverCore, nodeArgs);
  return { worker, port: await worker.call('start', options) };
}

export async function startSluice(
  flags: Readonly<Record<string, unknown>>,
  nodeArgs: readonly string[] = [],
) {
  const worker = new Worker<SluiceCalls>(
    new URL('../peers/sluice.ts', import.meta.url),
    serverCore,
    nodeArgs,
  );
  return { worker, port: await worker.call('start', { flags: { ...roomy, ...flags } }) };
}

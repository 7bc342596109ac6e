import type { DialectName } from '../dialects/dialects.ts';
import type { PeerCalls, PeerOptions } from '../peers/peer.ts';
import type { SluiceCalls } from '../peers/sluice.ts';
import { serverCore } from '../support/core.ts';
import { Worker } from '../support/worker.ts';

/** Servers that publish in their own process: the gateway as a library, and what it is compared with. */
export interface Subject {
  readonly name: string;
  readonly peer: keyof typeof files;
  readonly dialect: DialectName;
  /** For servers that don't batch by themselves. */
  readonly batchMs?: number;
}

const files = {
  'raw-uws': new URL('../peers/raw-uws.ts', import.meta.url),
  sluice: new URL('../peers/sluice.ts', import.meta.url),
  ws: new URL('../peers/ws.ts', import.meta.url),
  'socket.io': new URL('../peers/socket-io.ts', import.meta.url),
};

const batchMs = 5;
export const rawEach: Subject = { name: 'raw uWS, a frame each', peer: 'raw-uws', dialect: 'raw' };
export const rawBatch: Subject = { name: 'raw uWS, 5 ms frames', peer: 'raw-uws', dialect: 'raw', batchMs };
export const wsLoop: Subject = { name: 'ws, a send each', peer: 'ws', dialect: 'raw' };
const wsBest: Subject = { name: 'ws, one frame of 5 ms', peer: 'ws', dialect: 'raw', batchMs };
export const socketIo: Subject = { name: 'socket.io', peer: 'socket.io', dialect: 'socket.io' };
export const peers: readonly Subject[] = [wsLoop, wsBest, socketIo];

/** `sse`: the same JSON as a stream of Server-Sent Events. */
export function sluice(codec: 'protobuf' | 'json' | 'sse'): Subject {
  return { name: `sluice ${codec}`, peer: 'sluice', dialect: codec };
}

/** As options of the library: what the gateway's process takes as `--connections-max-per-ip` and so on. */
const roomy = {
  connectionsMax: 100_000,
  connectionsMaxPerIp: 100_000,
  unauthenticatedMaxPerIp: 100_000,
  handshakesPerSecondPerIp: 1_000_000,
  httpConnectionsPerSecondPerIp: 1_000_000,
  httpConnectionsMax: 100_000,
  commandsPerSecond: 1_000_000,
};

export interface StartedSubject<C extends PeerCalls = PeerCalls> {
  readonly worker: Worker<C>;
  readonly port: number;
}

type StartOptions = Omit<PeerOptions, 'batchMs'>;

export function startSubject(
  subject: Subject,
  options: StartOptions,
  nodeArgs: readonly string[] = [],
  core: number | 'any' = serverCore,
): Promise<StartedSubject> {
  const worker = new Worker<PeerCalls>(files[subject.peer], core === 'any' ? undefined : core, nodeArgs);
  return started(worker, { ...options, batchMs: subject.batchMs });
}

/** With the calls that only the gateway has. */
export function startSluice(flags: PeerOptions['flags']): Promise<StartedSubject<SluiceCalls>> {
  return started(new Worker<SluiceCalls>(files.sluice, serverCore), { topics: 0, flags });
}

async function started<C extends PeerCalls>(
  worker: Worker<C>,
  options: PeerOptions,
): Promise<StartedSubject<C>> {
  const starting: PeerOptions = { ...options, flags: { ...roomy, ...options.flags } };
  try {
    return { worker, port: await (worker as Worker<PeerCalls>).call('start', starting) };
  } catch (error) {
    await worker.end();
    throw error;
  }
}

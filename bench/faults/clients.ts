import { setTimeout } from 'node:timers/promises';
import { pace } from '../support/pacer.ts';
import { seededRandom } from '../support/payload.ts';
import { serveCalls } from '../support/worker.ts';
import { type FaultClient, type ReturnPace, SdkClient } from './client.ts';
import { Journal } from './journal.ts';
import { isFat, type Marker, topicOfClient } from './plan.ts';
import { PollClient } from './poll-client.ts';
import { StreamClient } from './stream-client.ts';

/** Many clients of the gateway, and what happens to them. */

const makers = { ws: SdkClient, sse: StreamClient, poll: PollClient } as const;

export type Transport = keyof typeof makers;

export interface StartOptions {
  /** URLs of the gateways, which a client uses in turn. */
  readonly ports: readonly number[];
  readonly transport: Transport;
  readonly path: string;
  readonly seed: number;
  /** The clients are numbered from `first` on. */
  readonly first: number;
  readonly count: number;
  /** Default: soon. */
  readonly pace?: ReturnPace;
}

export interface StormOptions {
  readonly seconds: number;
  readonly cutsPerSecond: number;
  /** Number of clients that are stalled at any time. */
  readonly stalled: number;
  readonly longestStallMs: number;
}

export interface ClientsReport {
  readonly cuts: number;
  readonly stalls: number;
  readonly connects: number;
  /** Gaps that the SDK noticed and asked the gateway to fill. */
  readonly gaps: number;
  readonly lags: number;
  readonly errors: Readonly<Record<string, number>>;
  /** When clients were asked to reconnect, as far as they say. */
  readonly returnsAtMs: readonly number[];
}

const connectWithinMs = 30_000;
const shortestStallMs = 500;
const perTurn = 50;
const fatShare = 0.7;
const stalledCutShare = 0.1;

let clients: FaultClient[] = [];
let journal: Journal;
let random: () => number;
let cuts = 0;
let stalls = 0;

async function start({
  ports,
  transport,
  path,
  seed,
  first,
  count,
  pace: returns = 'soon',
}: StartOptions): Promise<void> {
  journal = new Journal(path);
  random = seededRandom(seed + first + 1);
  for (let i = 0; i < count; i++) {
    clients.push(new makers[transport](first + i, ports, journal, returns));
    if (i % perTurn === perTurn - 1) await setTimeout(10);
  }
  const untilMs = performance.now() + connectWithinMs;
  while (clients.some(({ isConnected }) => !isConnected)) {
    if (performance.now() > untilMs) throw new Error('the clients did not all connect');
    await setTimeout(20);
  }
}

async function storm({ seconds, cutsPerSecond, stalled, longestStallMs }: StormOptions): Promise<void> {
  const untilMs = performance.now() + seconds * 1000;
  const stalling = Array.from({ length: stalled }, () => stallOneAfterTheOther(untilMs, longestStallMs));
  if (cutsPerSecond > 0) await pace(cutsPerSecond, seconds, cutOne);
  await Promise.all(stalling);
}

/** Tries a few times, because the chosen client may be away already. Mostly spares stalled clients. */
function cutOne(): void {
  for (let i = 0; i < 20; i++) {
    const client = pick(clients);
    if (!client.isConnected || (client.isStalled && random() > stalledCutShare)) continue;
    cuts++;
    client.cut();
    return;
  }
}

/** Mostly subscribers of a topic with large payloads: the kernel would buffer everything of the others. */
async function stallOneAfterTheOther(untilMs: number, longestMs: number): Promise<void> {
  const fat = clients.filter(({ index }) => isFat(index));
  for (;;) {
    const awake = (random() < fatShare ? fat : clients).filter(({ isStalled }) => !isStalled);
    const client = pick(awake.length > 0 ? awake : clients);
    const stallMs = shortestStallMs + random() * (longestMs - shortestStallMs);
    const leftMs = untilMs - performance.now();
    if (leftMs <= 0) return;
    stalls++;
    client.pause();
    await setTimeout(Math.min(stallMs, leftMs));
    client.resume();
  }
}

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!;
}

/**
 * Returns the clients that do not reach the end of their topic: none has made progress for `stillMs`, or `withinMs`
 * have passed. A client of a topic without an end mark does not reach it. Busy machines need long times, and lose
 * nothing.
 */
async function reach({
  markers,
  stillMs,
  withinMs,
}: {
  /** Per topic. */
  markers: readonly (Marker | undefined)[];
  stillMs: number;
  withinMs: number;
}): Promise<string[]> {
  const hasReached = (client: FaultClient) => {
    const marker = markers[topicOfClient(client.index)];
    return marker !== undefined && client.hasReached(marker);
  };
  let before = '';
  let movedAtMs = performance.now();
  const untilMs = movedAtMs + withinMs;
  for (;;) {
    const missing = clients.filter((client) => !hasReached(client)).map(({ where }) => where);
    const now = missing.join();
    if (now !== before) movedAtMs = performance.now();
    before = now;
    const nowMs = performance.now();
    if (missing.length === 0 || nowMs - movedAtMs > stillMs || nowMs > untilMs) return missing;
    await setTimeout(50);
  }
}

function finish(): ClientsReport {
  const errors: Record<string, number> = {};
  for (const error of clients.flatMap((client) => client.errors)) errors[error] = (errors[error] ?? 0) + 1;
  const sum = (count: (client: FaultClient) => number) => clients.reduce((all, each) => all + count(each), 0);
  const report = {
    cuts,
    stalls,
    connects: sum(({ stats }) => stats.connects),
    gaps: sum(({ stats }) => stats.gaps),
    lags: sum(({ lags }) => lags),
    errors,
    returnsAtMs: clients.flatMap(({ returnAtMs }) => returnAtMs ?? []),
  };
  for (const client of clients) client.close();
  clients = [];
  journal.close();
  return report;
}

const handlers = { start, storm, reach, finish };
export type ClientsCalls = typeof handlers;
serveCalls(handlers);

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type DialectName, dialectOf } from '../support/dialect.ts';
import { Latencies, type Percentiles } from '../support/latency.ts';
import { serveCalls } from '../support/worker.ts';
import { Receiver } from './receiver.ts';

/** Opens many connections, counts on all of them, and takes the time on some. */

export interface OpenOptions {
  readonly port: number;
  readonly dialect: DialectName;
  readonly messageBytes: number;
  readonly connections: number;
  readonly topics: readonly string[];
  /** So many of them, spread evenly, decode what they get. */
  readonly probes: number;
}

export interface Received {
  readonly publications: number;
  readonly fewest: number;
  readonly most: number;
  /** Times that a message did not follow the one before it. */
  readonly seams: number;
  readonly frames: number;
  readonly closed: number;
  readonly latency: Percentiles;
  /** Share of a core since `mark`. */
  readonly cpu: number;
  readonly loopDelayP99Ms: number;
}

const latencies = new Latencies();
const loopDelay = monitorEventLoopDelay({ resolution: 5 });
let receivers: Receiver[] = [];
let markedAtMs = 0;
let markedCpu = process.cpuUsage();

/** Handshakes under way at once: a listening socket queues no more than a few hundred. */
const inFlight = 100;

async function open({ probes, connections, ...options }: OpenOptions): Promise<void> {
  const dialect = dialectOf(options.dialect, options.messageBytes);
  const first = receivers.length;
  const every = probes > 0 ? Math.max(1, Math.floor(connections / probes)) : Number.POSITIVE_INFINITY;
  for (let from = 0; from < connections; from += inFlight) {
    const batch = Array.from({ length: Math.min(inFlight, connections - from) }, (_, i) => {
      const isProbe = (from + i) % every === 0;
      return new Receiver(first + from + i, dialect, options, isProbe ? latencies : undefined);
    });
    receivers.push(...batch);
    await Promise.all(batch.map(({ ready }) => ready));
  }
}

/** From here on it is counted. */
function mark(): void {
  for (const receiver of receivers) receiver.mark();
  latencies.reset();
  loopDelay.enable();
  loopDelay.reset();
  markedAtMs = performance.now();
  markedCpu = process.cpuUsage();
}

function read(): Received {
  const { user, system } = process.cpuUsage(markedCpu);
  const counts = receivers.map(({ publications }) => publications);
  const sum = (pick: (receiver: Receiver) => number) => receivers.reduce((all, each) => all + pick(each), 0);
  return {
    publications: sum(({ publications }) => publications),
    fewest: Math.min(...counts),
    most: Math.max(...counts),
    seams: sum(({ seams }) => seams),
    frames: sum(({ frames }) => frames),
    closed: sum(({ closed }) => Number(closed)),
    latency: latencies.read(),
    cpu: (user + system) / 1000 / (performance.now() - markedAtMs),
    loopDelayP99Ms: loopDelay.percentile(99) / 1e6,
  };
}

/** Answers when each connection has had so many publications since `mark`, or when it takes too long. */
async function settle({
  publications,
  withinMs,
}: {
  publications: number;
  withinMs: number;
}): Promise<boolean> {
  const untilMs = performance.now() + withinMs;
  while (receivers.some((receiver) => !receiver.closed && receiver.publications < publications)) {
    if (performance.now() > untilMs) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}

function close(): void {
  for (const receiver of receivers) receiver.close();
  receivers = [];
}

const handlers = { open, mark, read, settle, close };
export type ReceiversCalls = typeof handlers;
serveCalls(handlers);

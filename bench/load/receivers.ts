import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Opening } from '../dialects/dialect.ts';
import { type DialectName, dialectOf } from '../dialects/dialects.ts';
import { Latencies, type Percentiles } from '../support/latency.ts';
import { mintTokens, type TokenSigner } from '../support/tokens.ts';
import { serveCalls } from '../support/worker.ts';
import { Arrivals } from './arrivals.ts';
import { Receiver, type ReceiverOptions } from './receiver.ts';

/** Opens many connections, counts publications on all of them, and measures latencies on some. */

export interface OpenOptions extends Omit<Opening, 'token'> {
  readonly port: number;
  readonly dialect: DialectName;
  readonly messageBytes: number;
  readonly connections: number;
  /** How many connections, evenly spread, decode their messages. Default: none. */
  readonly probes?: number;
  /** Each connection subscribes to one topic, in turn, instead of all of them. */
  readonly spread?: boolean;
  /** Each connection has a token of its own user: in its first command, as the SDK does, or in the URL. */
  readonly tokens?: TokenSigner & {
    readonly in: 'connect' | 'url';
    readonly issuedAtSeconds: number;
  };
  /** Handshakes under way at once: a listening socket queues no more than a few hundred. */
  readonly inFlight?: number;
  /** Only count refused or lost connections. By default they are retried a few times, as by clients. */
  readonly mayFail?: boolean;
}

export interface Received {
  readonly publications: number;
  readonly fewest: number;
  readonly most: number;
  /** How often a message did not continue at the previous one. */
  readonly seams: number;
  /** Publications that the server said are gone. */
  readonly missed: number;
  readonly frames: number;
  /** Of messages, with their WebSocket headers. */
  readonly bytes: number;
  /** Of messages without publications, such as dictionaries. */
  readonly otherBytes: number;
  readonly closed: number;
  readonly latency: Percentiles;
  /** Without the time for which this process was ready to run and had no core. */
  readonly awakeLatency: Percentiles;
  /** Share of a core since `mark`. */
  readonly cpu: number;
  readonly loopDelayP99Ms: number;
}

const defaultInFlight = 100;
const triesMax = 3;

const arrivals = new Arrivals();
const loopDelay = monitorEventLoopDelay({ resolution: 5 });
let receivers: Receiver[] = [];
let markedAtMs = 0;
let markedCpu = process.cpuUsage();
let beating: NodeJS.Timeout | undefined;

export interface OpenedReceivers {
  /** Duration without the minting of tokens. */
  readonly seconds: number;
  /** Share of a core meanwhile. */
  readonly cpu: number;
  /** Connections that were refused or lost, including those that succeeded when they were retried. */
  readonly failed: number;
  /** From the start of a connection to the reply to its subscription, without failed ones. */
  readonly ready: Percentiles;
}

async function open(options: OpenOptions): Promise<OpenedReceivers> {
  const { connections, probes = 0, inFlight = defaultInFlight } = options;
  const dialect = dialectOf(options.dialect, options.messageBytes);
  const openings = await openingsOf(options);
  const first = receivers.length;
  const every = probes > 0 ? Math.max(1, Math.floor(connections / probes)) : Number.POSITIVE_INFINITY;
  // Where connections are spread over topics, each topic has some: its publications would else be read by all or none.
  const rounds = options.spread === true ? options.topics.length : Number.POSITIVE_INFINITY;
  const isProbe = (index: number) => (index + Math.floor(index / rounds)) % every === 0;
  let next = 0;
  let failed = 0;
  const ready = new Latencies();
  const openOne = async (index: number, triesLeft: number): Promise<void> => {
    const measured = isProbe(index) ? arrivals : undefined;
    const beganMs = performance.now();
    const receiver = new Receiver(first + index, dialect, openings[index]!, measured);
    try {
      await receiver.ready;
      ready.add(1000 * (performance.now() - beganMs));
      receivers.push(receiver);
    } catch (error) {
      failed++;
      if (options.mayFail === true) return;
      if (triesLeft === 0) throw error;
      await openOne(index, triesLeft - 1);
    }
  };
  const openNext = async (): Promise<void> => {
    while (next < connections) await openOne(next++, triesMax);
  };
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  await Promise.all(Array.from({ length: Math.min(inFlight, connections) }, openNext));
  const seconds = (performance.now() - startMs) / 1000;
  return { seconds, cpu: cpuSince(startCpu) / seconds, failed, ready: ready.read() };
}

async function openingsOf(options: OpenOptions): Promise<readonly ReceiverOptions[]> {
  const { port, connections, topics, spread, subscription, tokens } = options;
  const minted = tokens === undefined ? [] : await mintTokens(tokens, connections, tokens.issuedAtSeconds);
  return Array.from({ length: connections }, (_, i) => {
    const heard = spread === true ? [topics[i % topics.length]!] : topics;
    const opening = { topics: heard, subscription };
    const token = minted[i];
    if (token === undefined) return { port, opening };
    if (tokens?.in === 'url') return { port, opening, path: `/ws?token=${token}` };
    return { port, opening: { ...opening, token } };
  });
}

/** Counting starts here. */
function mark(): void {
  for (const receiver of receivers) receiver.mark();
  restartClocks();
}

/** Latencies, CPU and loop delay are measured from here on. */
function restartClocks(): void {
  arrivals.reset();
  loopDelay.enable();
  loopDelay.reset();
  markedAtMs = performance.now();
  markedCpu = process.cpuUsage();
}

const sum = (pick: (receiver: Receiver) => number): number =>
  receivers.reduce((all, each) => all + pick(each), 0);

/** Publications since `mark`, on all connections together. */
function progress(): number {
  return sum(({ publications }) => publications);
}

/** The same, with those that are gone and will not arrive. */
function passed(): number {
  return progress() + sum(({ missed }) => missed);
}

function cpuSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

function read(): Received {
  const counts = receivers.map(({ publications }) => publications);
  return {
    publications: progress(),
    fewest: Math.min(...counts),
    most: Math.max(...counts),
    seams: sum(({ seams }) => seams),
    missed: sum(({ missed }) => missed),
    frames: sum(({ frames }) => frames),
    bytes: sum(({ bytes }) => bytes),
    otherBytes: sum(({ otherBytes }) => otherBytes),
    closed: sum(({ closed }) => Number(closed)),
    ...arrivals.read(),
    cpu: cpuSince(markedCpu) / ((performance.now() - markedAtMs) / 1000),
    loopDelayP99Ms: loopDelay.percentile(99) / 1e6,
  };
}

export interface WantedPublications {
  readonly publications: number;
  /** The number is per connection, instead of for all of them together. */
  readonly each?: boolean;
  readonly withinMs: number;
}

/** Resolves when this many publications have come since `mark`, or after a timeout. */
async function settle({ publications, each, withinMs }: WantedPublications): Promise<boolean> {
  const untilMs = performance.now() + withinMs;
  const lacks = () =>
    each === true
      ? receivers.some((receiver) => receiver.publications < publications)
      : passed() < publications;
  while (lacks()) {
    if (performance.now() > untilMs) return false;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return true;
}

/** From now on each connection sends a heartbeat once per interval, evenly spread. */
function beat({ everyMs }: { everyMs: number }): void {
  const tickMs = 100;
  let next = 0;
  let owed = 0;
  beating = setInterval(() => {
    owed += (receivers.length * tickMs) / everyMs;
    for (; owed >= 1; owed--) receivers[next++ % receivers.length]!.heartbeat();
  }, tickMs);
}

function close(): void {
  clearInterval(beating);
  for (const receiver of receivers) receiver.close();
  receivers = [];
}

const handlers = { open, mark, restartClocks, progress, passed, read, settle, beat, close };
export type ReceiversCalls = typeof handlers;
serveCalls(handlers);

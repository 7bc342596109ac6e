import { setTimeout } from 'node:timers/promises';
import type { PublisherCalls } from './load/publisher.ts';
import type { Received, ReceiversCalls } from './load/receivers.ts';
import type { StallersCalls, StallersReport } from './load/stallers.ts';
import { loadCore } from './support/core.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { rssBytes } from './support/proc.ts';
import { median } from './support/report.ts';
import { type Claim, claim, type OptionsOf, scenario } from './support/scenario.ts';
import { Worker } from './support/worker.ts';

const options = {
  connections: { default: 1000, sentence: 'Connections in all.' },
  stalled: { default: 100, sentence: 'Those of them that stop reading.' },
  rate: { default: 100, sentence: 'Publications per second to each of the two topics.' },
  seconds: { default: 12, sentence: 'Length of a phase.' },
  warmUps: { default: 4, sentence: 'Phases in which all read, before the first that counts.' },
  rounds: { default: 2, sentence: 'Rounds of two phases: all read, some don’t.' },
} as const;
type Options = OptionsOf<typeof options>;

const MiB = 2 ** 20;
const backpressureBytes = 64 * 1024;
const frameBytes = 64 * 1024;
/**
 * All are in the stream, those that stall in the state topic too: what it carries fills the kernel's 3 MB in a phase.
 */
const stream = { topic: 'stats', bytes: 1000 } as const;
const state = { topic: 'server:stalled', bytes: 4000, keys: 20 } as const;
const catchUpWithinMs = 20_000;
const settleMs = 3000;
const sampleEveryMs = 100;
const probes = 50;

interface Phase {
  readonly stalls: boolean;
  readonly others: Received;
  readonly peakBytes: number;
  /** JavaScript's share of what is taken at the end: the rest is the library's, and what malloc doesn't give back. */
  readonly heapBytes: number;
  readonly stallers: StallersReport;
}

interface Parts {
  readonly gateway: Gateway;
  readonly publisher: Worker<PublisherCalls>;
  readonly others: Worker<ReceiversCalls>;
  readonly stallers: Worker<StallersCalls>;
}

/**
 * Counts the publications of each topic that were acknowledged: the last one is what every client must reach. The
 * gateway closes idle connections between two phases, and a publish may be lost with one.
 */
class Load {
  #stream = 0;
  #state = 0;
  readonly #parts: Parts;
  readonly #options: Options;

  constructor(parts: Parts, options: Options) {
    this.#parts = parts;
    this.#options = options;
  }

  async phase(stalls: boolean): Promise<Phase> {
    const { publisher, others, stallers, gateway } = this.#parts;
    const { rate, seconds } = this.#options;
    await stallers.call('begin', { stalls });
    await others.call('mark');
    const peak = watchPeak(gateway.pid);
    const [one, two] = await Promise.all([
      publisher.call('publish', { ...stream, topics: [stream.topic], rate, seconds }),
      publisher.call('publish', { ...state, topics: [state.topic], rate, seconds }),
    ]);
    const published = one.sent - one.failed;
    this.#stream += published;
    this.#state += two.sent - two.failed;
    const readers = this.#options.connections - this.#options.stalled;
    await others.call('settle', { publications: published * readers, withinMs: settleMs });
    const received = await others.call('read');
    const peakBytes = peak();
    // Nothing is published meanwhile, so everything that comes is catch-up.
    const there = { offset: this.#stream, stateOffset: this.#state, withinMs: catchUpWithinMs };
    const report = await stallers.call('resume', there);
    const heap = await gateway.metric('nodejs_heap_size_total_bytes');
    const heapBytes = heap + (await gateway.metric('nodejs_external_memory_bytes'));
    return { stalls, others: received, peakBytes, heapBytes, stallers: report };
  }
}

/** Measures the largest RSS until the returned function is called. */
function watchPeak(pid: number): () => number {
  let peak = rssBytes(pid);
  const timer = setInterval(() => {
    peak = Math.max(peak, rssBytes(pid));
  }, sampleEveryMs);
  return () => {
    clearInterval(timer);
    return Math.max(peak, rssBytes(pid));
  };
}

interface Seen {
  readonly phases: readonly Phase[];
  /** All have caught up, and the stalled ones have left. */
  readonly afterBytes: number;
  readonly leftBytes: number;
}

async function run(options: Options, say: (line: string) => void): Promise<Seen> {
  // What is compressed would fill no buffer, and inflating it would take more of the load's core than all the rest.
  const gateway = await startGateway([
    `--backpressure-max-bytes=${backpressureBytes}`,
    '--compress-min-bytes=0',
    // Above the longest stall, and no more: full rings are part of the base.
    `--topic-history-max-publications=${Math.ceil(options.rate * options.seconds * 1.2)}`,
    '--topic-history-max-bytes=64MiB',
  ]);
  const { port, pid } = gateway;
  const parts: Parts = {
    gateway,
    publisher: new Worker(new URL('./load/publisher.ts', import.meta.url), loadCore),
    others: new Worker(new URL('./load/receivers.ts', import.meta.url), loadCore),
    stallers: new Worker(new URL('./load/stallers.ts', import.meta.url), loadCore),
  };
  try {
    await parts.publisher.call('connect', { port, by: 'http' });
    await parts.others.call('open', {
      port,
      dialect: 'protobuf',
      messageBytes: stream.bytes,
      connections: options.connections - options.stalled,
      topics: [stream.topic],
      probes,
    });
    await parts.stallers.call('start', {
      port,
      count: options.stalled,
      stream: stream.topic,
      state: state.topic,
    });
    const load = new Load(parts, options);
    // The rings fill, and the heap grows to what it needs, for longer than one phase: the base is to be a steady one.
    for (let i = 0; i < options.warmUps; i++) {
      say(`warming up, ${i + 1} of ${options.warmUps}`);
      await load.phase(false);
    }
    const phases: Phase[] = [];
    for (let i = 0; i < options.rounds; i++) {
      for (const stalls of [false, true]) {
        say(`round ${i + 1} of ${options.rounds}: ${stalls ? `${options.stalled} don’t read` : 'all read'}`);
        phases.push(await load.phase(stalls));
      }
    }
    await setTimeout(settleMs);
    const afterBytes = rssBytes(pid);
    await parts.stallers.call('close');
    await setTimeout(settleMs);
    return { phases, afterBytes, leftBytes: rssBytes(pid) };
  } finally {
    for (const worker of [parts.publisher, parts.others, parts.stallers]) await worker.end();
    await gateway.end();
  }
}

function claims({ phases, afterBytes, leftBytes }: Seen, { stalled }: Options): Claim[] {
  const [calm, rough] = [false, true].map((stalls) => phases.filter((phase) => phase.stalls === stalls)) as [
    Phase[],
    Phase[],
  ];
  const p99 = (some: readonly Phase[]) => median(some.map(({ others }) => others.latency.p99Ms));
  // Of the phase before the first client stalled.
  const baseBytes = calm[0]!.peakBytes;
  const peakBytes = Math.max(...rough.map(({ peakBytes: bytes }) => bytes));
  const boundBytes = (baseBytes + stalled * (backpressureBytes + frameBytes)) * 1.1;
  const ratio = p99(rough) / p99(calm);
  const sum = (pick: (report: StallersReport) => number) =>
    rough.reduce((all, { stallers }) => all + pick(stallers), 0);
  const lost = phases.reduce(
    (all, { others, stallers }) => all + others.seams + others.closed + stallers.lost + stallers.outOfOrder,
    0,
  );
  const all = rough.length * stalled;
  const mostOfAKey = Math.max(...rough.map(({ stallers }) => stallers.mostValuesOfAKey));
  const mib = (bytes: number) => `${(bytes / MiB).toFixed(1)} MiB`;
  return [
    claim(
      'p99 of the others is at most 1.2 times that without stalled clients',
      ratio <= 1.2,
      ratio.toFixed(2),
    ),
    claim(
      `RSS stays below ${mib(boundBytes)} (base ${mib(baseBytes)})`,
      peakBytes <= boundBytes,
      mib(peakBytes),
    ),
    claim('RSS is back at base + 10 % after', afterBytes <= baseBytes * 1.1, mib(afterBytes)),
    claim('… when those that stalled have left', leftBytes <= baseBytes * 1.1, mib(leftBytes)),
    claim(
      'all that stalled were told that they lag',
      sum(({ lagged }) => lagged) === all,
      sum(({ lagged }) => lagged),
    ),
    claim(
      'all of them were caught up',
      sum(({ caughtUp }) => caughtUp) === all,
      sum(({ caughtUp }) => caughtUp),
    ),
    claim('state topic: the catch-up has one value of a key at most', mostOfAKey === 1, mostOfAKey),
    claim('lost or out of order, on any connection', lost === 0, lost),
    claim(
      'behind at the end of a phase',
      sum(({ behind }) => behind) === 0,
      sum(({ behind }) => behind),
    ),
  ];
}

export default scenario(options, async (chosen, say) => {
  const seen = await run(chosen, say);
  const rows = seen.phases.map(({ stalls, others, peakBytes, heapBytes, stallers }) => [
    stalls ? `${chosen.stalled} don’t read` : 'all read',
    others.latency.p50Ms,
    others.latency.p99Ms,
    others.latency.maxMs,
    peakBytes / MiB,
    heapBytes / MiB,
    stallers.lagged,
    stallers.mostValues,
    `${(others.cpu * 100).toFixed(0)} %`,
  ]);
  const columns = [
    'phase',
    'p50 ms',
    'p99 ms',
    'max ms',
    'RSS MiB',
    'heap MiB after',
    'lagged',
    'values in catch-up',
    'load CPU',
  ];
  const title = `${chosen.connections} connections, ${chosen.rate}/s to each topic; latency of those that always read`;
  return { tables: [{ title, columns, rows }], claims: claims(seen, chosen), facts: { ...seen } };
});

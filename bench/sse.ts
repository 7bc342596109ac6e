import { setTimeout } from 'node:timers/promises';
import type { Received } from './load/receivers.ts';
import { cpuMeter, cpuSeconds } from './support/proc.ts';
import { median, percentText } from './support/report.ts';
import { nothingLost } from './support/runs.ts';
import { atMost, type OptionsOf, type Ratio, scenario, usual } from './support/scenario.ts';
import { publisherOption, publishFrom } from './trials/publish-from.ts';
import { type StartedSubject, type Subject, sluice, startSubject } from './trials/subject.ts';
import { lostOf, settled, startReceivers, topicNames, withWorkers } from './trials/trial.ts';

const options = {
  connections: { default: 1000, sentence: 'Subscribers of each transport, all at once.' },
  rate: { default: 100, sentence: 'Publications per second, to those of one transport.' },
  calmRate: {
    default: 40,
    sentence: 'A rate at which every publication is a frame of its own, as the gateway is never late.',
  },
  bytes: usual.bytes,
  publisher: publisherOption,
  warmUp: {
    default: 3,
    sentence: 'Seconds before, for each: the compiler works on the core of the gateway.',
  },
  seconds: { default: 1, sentence: 'Measured time of each window.' },
  windows: {
    default: 11,
    sentence: 'Windows of each transport at each rate; each is compared with the next.',
  },
  probes: { default: 10, sentence: 'Connections of each that take the time.' },
} as const;
type Options = OptionsOf<typeof options>;

interface Transport {
  readonly subject: Subject;
  readonly topic: string;
}

const [socketsTopic, streamsTopic] = topicNames(2) as [string, string];
const webSockets: Transport = { subject: sluice('json'), topic: socketsTopic };
const streams: Transport = { subject: sluice('sse'), topic: streamsTopic };
const transports = [webSockets, streams] as const;

/** The allowed cost of a stream relative to a WebSocket: streams are written one by one, WebSockets by the library. */
const cpuLimit = 1.5;

interface Window {
  /** CPU seconds, without those of an idle gateway. */
  readonly cpuSeconds: number;
  readonly received: Received;
  readonly lost: number;
}

/** Windows of both transports at one rate, next to each other in time. */
type Pair = ReadonlyMap<Transport, Window>;
type Pick = (window: Window) => number;

const perFrame: Pick = ({ cpuSeconds, received }) => cpuSeconds / received.frames;
const perDelivery: Pick = ({ cpuSeconds, received }) => cpuSeconds / received.publications;
const inAFrame: Pick = ({ received }) => received.publications / received.frames;
const p50: Pick = ({ received }) => received.latency.p50Ms;
const p99: Pick = ({ received }) => received.latency.p99Ms;

/** Publishes to one transport for some seconds. */
type Run = (rate: number, seconds: number) => Promise<Window>;

/** One gateway with all clients; the windows of the two transports take turns, so that both have the same machine. */
function measure(
  chosen: Options,
  rates: readonly number[],
  say: (line: string) => void,
): Promise<ReadonlyMap<number, Pair[]>> {
  const { warmUp, seconds, windows } = chosen;
  return withWorkers(async (keep) => {
    const { worker, port } = await startSubject(webSockets.subject, { topics: transports.length });
    keep(worker);
    const runs = new Map<Transport, Run>();
    for (const transport of transports)
      runs.set(transport, await connected(transport, { worker, port }, chosen, keep));
    for (const rate of rates) for (const run of runs.values()) await run(rate, warmUp);
    const pairs = new Map<number, Pair[]>(rates.map((rate) => [rate, []]));
    const idleShares: number[] = [];
    for (let i = 0; i < windows; i++) {
      say(`window ${i + 1} of ${windows}`);
      if (i % 5 === 0) idleShares.push(await idleShare(worker.pid, seconds));
      for (const rate of rates) {
        const pair = new Map<Transport, Window>();
        // The transports take turns in being first, so that drift affects both.
        for (const transport of i % 2 === 0 ? transports : transports.toReversed())
          pair.set(transport, await (runs.get(transport) as Run)(rate, seconds));
        pairs.get(rate)?.push(pair);
      }
    }
    const idleSeconds = median(idleShares) * seconds;
    return new Map([...pairs].map(([rate, all]) => [rate, all.map((pair) => without(idleSeconds, pair))]));
  });
}

function without(idleSeconds: number, pair: Pair): Pair {
  return new Map(
    [...pair].map(([transport, window]) => [
      transport,
      { ...window, cpuSeconds: window.cpuSeconds - idleSeconds },
    ]),
  );
}

/** Connects the clients of one transport. */
async function connected(
  { subject, topic }: Transport,
  { worker, port }: StartedSubject,
  { connections, bytes, publisher, probes }: Options,
  keep: <W extends { end(): unknown }>(worker: W) => W,
): Promise<Run> {
  const receivers = keep(startReceivers());
  const opening = { topics: [topic], messageBytes: bytes, connections, probes };
  await receivers.call('open', { port, dialect: subject.dialect, ...opening });
  const publish = await publishFrom(publisher, subject, { worker, port, receivers }, keep);
  return async (rate, seconds) => {
    const before = cpuSeconds(worker.pid);
    // Waits until everything has come, so that late deliveries count.
    const report = await settled(receivers, connections, () =>
      publish({ topics: [topic], rate, seconds, bytes }),
    );
    const after = cpuSeconds(worker.pid);
    const received = await receivers.call('read');
    return { cpuSeconds: after - before, received, lost: lostOf(report, received, connections) };
  };
}

async function idleShare(pid: number, seconds: number): Promise<number> {
  const cpu = cpuMeter(pid);
  await setTimeout(seconds * 1000);
  return cpu();
}

export default scenario(options, async (chosen, say) => {
  const { rate, calmRate } = chosen;
  const pairs = await measure(chosen, [rate, calmRate], say);
  const of = (at: number, transport: Transport, pick: Pick) =>
    median(pairs.get(at)!.map((pair) => pick(pair.get(transport)!)));
  /** The median of the ratios of neighbouring windows of streams and WebSockets. */
  const ratio = (at: number, pick: Pick) =>
    median(pairs.get(at)!.map((pair) => pick(pair.get(streams)!) / pick(pair.get(webSockets)!)));
  const windows = [...pairs.values()].flatMap((all) => all.flatMap((pair) => [...pair.values()]));
  const lost = windows.reduce((sum, window) => sum + window.lost, 0);
  const rows = [...pairs.keys()].flatMap((at) =>
    transports.map((transport) => [
      `${transport.subject.name}, ${at}/s`,
      1e6 * of(at, transport, perFrame),
      1e6 * of(at, transport, perDelivery),
      of(at, transport, inAFrame),
      of(at, transport, p50),
      of(at, transport, p99),
      percentText(of(at, transport, ({ received }) => received.cpu)),
      of(at, transport, ({ received }) => received.loopDelayP99Ms),
    ]),
  );
  const picks = { 'CPU of a frame': perFrame, 'CPU of a delivery': perDelivery, p50, p99 };
  const ratios: Ratio[] = [
    { name: 'CPU of streams to WebSockets', value: ratio(calmRate, perFrame), better: 'lower' },
    { name: 'p99 of streams to WebSockets', value: ratio(calmRate, p99), better: 'lower' },
  ];
  const figures = ['us a frame', 'us a delivery', 'publications a frame', 'p50 ms', 'p99 ms'];
  return {
    tables: [
      {
        title: `${chosen.connections} connections of each, published to in turn`,
        columns: ['subject', ...figures, 'load CPU', 'load loop p99 ms'],
        rows,
      },
      {
        title: 'streams to WebSockets: medians over windows next to each other',
        columns: ['', ...[...pairs.keys()].map((at) => `x at ${at}/s`)],
        rows: Object.entries(picks).map(([name, pick]) => [
          name,
          ...[...pairs.keys()].map((at) => ratio(at, pick)),
        ]),
      },
    ],
    claims: [
      nothingLost(lost),
      atMost(
        'CPU of a delivery, streams to WebSockets of the JSON codec',
        ratio(rate, perDelivery),
        cpuLimit,
        'x',
      ),
      atMost('CPU of a frame where each publication is one', ratio(calmRate, perFrame), cpuLimit, 'x'),
    ],
    ratios,
    facts: {
      windows: Object.fromEntries([...pairs].map(([at, all]) => [at, all.map((pair) => [...pair.values()])])),
    },
  };
});

import type { PublisherCalls, PublishJob } from './load/publisher.ts';
import type { Received, ReceiversCalls } from './load/receivers.ts';
import { loadCore } from './support/core.ts';
import type { DialectName } from './support/dialect.ts';
import { cpuMeter } from './support/proc.ts';
import { median } from './support/report.ts';
import { type Claim, claim, numbers, type OptionsOf, scenario } from './support/scenario.ts';
import { startRaw, startSluice } from './support/subject.ts';
import { Worker } from './support/worker.ts';

const options = {
  connections: { default: 1000, sentence: 'Subscribers of the one topic.' },
  rates: { default: '100,1000', sentence: 'Publications per second.' },
  bytes: { default: '200', sentence: 'Sizes of a payload.' },
  codecs: { default: 'protobuf,json', sentence: 'Codecs of the gateway to look at.' },
  publisher: {
    default: 'process',
    sentence:
      'Where the gateway’s publications come from: its own process, as with raw uWS, or over the network.',
    choices: ['process', 'http', 'ws'],
  },
  compress: { default: true, sentence: 'Let the gateway compress (--no-compress: never).' },
  seconds: { default: 5, sentence: 'Measured time of each run.' },
  runs: { default: 3, sentence: 'Runs of each row; the table has their medians.' },
  probes: { default: 20, sentence: 'Connections that take the time.' },
} as const;
type Options = OptionsOf<typeof options>;

interface Subject {
  readonly name: string;
  readonly dialect: DialectName;
  /** Of raw uWS. */
  readonly batchMs?: number;
}

interface Run {
  readonly cpu: number;
  readonly received: Received;
  readonly sent: number;
  readonly failed: number;
  readonly latestMs: number;
}

const topic = 'topic0';
const warmUpSeconds = 1;
const settleMs = 5000;

const rawEach: Subject = { name: 'raw uWS, a frame each', dialect: 'raw', batchMs: 0 };
const rawBatch: Subject = { name: 'raw uWS, 5 ms frames', dialect: 'raw', batchMs: 5 };

function subjects({ codecs }: Options): Subject[] {
  const own = codecs.split(',').map((codec) => ({ name: `sluice ${codec}`, dialect: codec as DialectName }));
  return [rawEach, rawBatch, ...own];
}

/** Starts what is measured; answers its port and who publishes. */
async function startSubject(
  subject: Subject,
  { publisher, compress }: Options,
  workers: { end(): unknown }[],
) {
  if (subject.batchMs !== undefined) {
    const { worker, port } = await startRaw({ topics: 1, batchMs: subject.batchMs });
    workers.push(worker);
    return { port, pid: worker.pid, publish: (job: PublishJob) => worker.call('publish', job) };
  }
  const { worker, port } = await startSluice(compress ? {} : { compressMinBytes: 0 });
  workers.push(worker);
  if (publisher === 'process')
    return { port, pid: worker.pid, publish: (job: PublishJob) => worker.call('publish', job) };
  const outside = new Worker<PublisherCalls>(new URL('./load/publisher.ts', import.meta.url), loadCore);
  workers.push(outside);
  await outside.call('connect', { port, by: publisher as 'http' | 'ws' });
  return { port, pid: worker.pid, publish: (job: PublishJob) => outside.call('publish', job) };
}

async function measure(subject: Subject, rate: number, bytes: number, options: Options): Promise<Run> {
  const workers: { end(): unknown }[] = [];
  try {
    const { port, pid, publish } = await startSubject(subject, options, workers);
    const receivers = new Worker<ReceiversCalls>(new URL('./load/receivers.ts', import.meta.url), loadCore);
    workers.push(receivers);
    const { connections, probes, seconds } = options;
    await receivers.call('open', {
      port,
      dialect: subject.dialect,
      messageBytes: bytes,
      connections,
      topics: [topic],
      probes,
    });
    const warm = await publish({ topic, rate, seconds: warmUpSeconds, bytes });
    await receivers.call('settle', { publications: warm.sent, withinMs: settleMs });
    await receivers.call('mark');
    const cpu = cpuMeter(pid);
    const { sent, failed, latestMs } = await publish({ topic, rate, seconds, bytes });
    const cpuShare = cpu();
    await receivers.call('settle', { publications: sent, withinMs: settleMs });
    return { cpu: cpuShare, received: await receivers.call('read'), sent, failed, latestMs };
  } finally {
    for (const worker of workers.reverse()) await worker.end();
  }
}

interface Figures {
  readonly subject: Subject;
  readonly rate: number;
  readonly bytes: number;
  readonly cpu: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly perSecond: number;
  readonly lost: number;
  readonly loadCpu: number;
  readonly latestMs: number;
}

function figures(
  subject: Subject,
  rate: number,
  bytes: number,
  runs: readonly Run[],
  options: Options,
): Figures {
  const of = (pick: (run: Run) => number) => median(runs.map(pick));
  const { connections, seconds } = options;
  const lost = (run: Run) => run.sent * connections - run.received.publications + run.received.seams;
  return {
    subject,
    rate,
    bytes,
    cpu: of((run) => run.cpu),
    p50Ms: of((run) => run.received.latency.p50Ms),
    p99Ms: of((run) => run.received.latency.p99Ms),
    perSecond: of((run) => run.received.publications / seconds),
    // No median: each one counts.
    lost: runs.reduce((sum, run) => sum + Math.abs(lost(run)) + run.failed, 0),
    loadCpu: of((run) => run.received.cpu),
    latestMs: of((run) => run.latestMs),
  };
}

function row(each: Figures, all: readonly Figures[]): (string | number)[] {
  const base = (subject: Subject) =>
    all.find((other) => other.subject === subject && other.rate === each.rate && other.bytes === each.bytes)!;
  return [
    each.subject.name,
    each.rate,
    each.bytes,
    `${(each.cpu * 100).toFixed(1)} %`,
    (each.cpu / base(rawBatch).cpu).toFixed(2),
    each.p50Ms,
    (each.p50Ms / base(rawEach).p50Ms).toFixed(2),
    each.p99Ms,
    Math.round(each.perSecond),
    each.lost,
    `${(each.loadCpu * 100).toFixed(0)} %`,
    each.latestMs,
  ];
}

const columns = [
  'subject',
  'msg/s',
  'bytes',
  'CPU',
  'x 5 ms raw',
  'p50 ms',
  'x raw each',
  'p99 ms',
  'deliveries/s',
  'lost',
  'load CPU',
  'publisher late ms',
];

function claims(all: readonly Figures[], { connections }: Options): Claim[] {
  const lost = all.reduce((sum, each) => sum + (each.subject.dialect === 'raw' ? 0 : each.lost), 0);
  const made = [claim('nothing is lost, repeated or out of place on any connection', lost === 0, lost)];
  const target = { protobuf: 1.3, json: 1.5 } as const;
  for (const each of all) {
    const { dialect } = each.subject;
    if (dialect === 'raw' || each.rate !== 1000 || each.bytes !== 200 || connections !== 1000) continue;
    const ratio = each.cpu / all.find((other) => other.subject === rawBatch && other.rate === 1000)!.cpu;
    const name = `CPU of ${each.subject.name} at 1000/s is at most ${target[dialect]} x raw uWS in 5 ms frames`;
    made.push(claim(name, ratio <= target[dialect], `${ratio.toFixed(2)} x`));
    if (dialect === 'protobuf')
      made.push(claim('its p99 is at most 15 ms', each.p99Ms <= 15, `${each.p99Ms.toFixed(2)} ms`));
  }
  return made;
}

export default scenario(options, async (chosen, say) => {
  const all: Figures[] = [];
  for (const bytes of numbers(chosen.bytes)) {
    for (const rate of numbers(chosen.rates)) {
      const runs = new Map<Subject, Run[]>(subjects(chosen).map((subject) => [subject, []]));
      // In turns, so that what disturbs the machine for a while disturbs all of them.
      for (let i = 0; i < chosen.runs; i++) {
        for (const [subject, done] of runs) {
          say(`${subject.name}: ${rate}/s of ${bytes} bytes, run ${i + 1} of ${chosen.runs}`);
          done.push(await measure(subject, rate, bytes, chosen));
        }
      }
      for (const [subject, done] of runs) all.push(figures(subject, rate, bytes, done, chosen));
    }
  }
  const title = `${chosen.connections} connections on one topic; publisher of the gateway: ${chosen.publisher}`;
  const rows = all.map((each) => row(each, all));
  return { tables: [{ title, columns, rows }], claims: claims(all, chosen), facts: { figures: all } };
});

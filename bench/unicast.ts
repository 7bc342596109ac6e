import type { PeerCalls } from './peers/peer.ts';
import type { Allocations } from './support/allocations.ts';
import { allocationsTable, gapsTable, longestOwnMs } from './support/looks.ts';
import type { LoopTrace } from './support/loop-watch.ts';
import { percentText } from './support/report.ts';
import { inTurn, type Runs } from './support/runs.ts';
import {
  atLeast,
  atMost,
  type Claim,
  claim,
  type OptionsOf,
  type Ratio,
  scenario,
  type Table,
  usual,
} from './support/scenario.ts';
import type { Worker } from './support/worker.ts';
import { publisherOption, publishFrom } from './trials/publish-from.ts';
import { type Saturation, saturate } from './trials/saturate.ts';
import { rawEach, type Subject, sluice } from './trials/subject.ts';
import { settled, type Trial, topicNames, trial, withLoad, withWorkers } from './trials/trial.ts';

const options = {
  topics: { default: 1000, sentence: 'Topics, each with one subscriber of its own.' },
  rate: { default: 20_000, sentence: 'Publications per second, to the topics in turn.' },
  bytes: usual.bytes,
  codecs: { default: 'protobuf,json', sentence: 'Codecs of the gateway to look at.' },
  publisher: publisherOption,
  ring: {
    default: 1000,
    sentence: 'Publications that the gateway keeps of a topic. With 200 the rings are full before it counts.',
  },
  warmUp: {
    default: 12,
    sentence: 'Seconds before: the compiler works on the core of the gateway, and a gateway runs for long.',
  },
  seconds: usual.seconds,
  runs: usual.runs,
  probes: { default: 20, sentence: 'Connections that take the time.' },
  saturation: {
    default: true,
    sentence: 'Also look for the most publications per second (--no-saturation: not).',
  },
  nodeArgs: {
    // The thread that read the TypeScript is idle, and would be collected on the core of the gateway meanwhile.
    default: '--no-memory-reducer',
    sentence: 'Arguments of Node for every subject, with spaces between them, as --single-threaded-gc.',
  },
  gaps: { default: false, sentence: 'Also record the gaps of each event loop, beside its collections.' },
  allocations: { default: false, sentence: 'Also sample what the gateway allocates.' },
} as const;
type Options = OptionsOf<typeof options>;

interface Seen {
  readonly steady: Trial;
  readonly full: Saturation | undefined;
  readonly trace: LoopTrace | undefined;
  readonly allocated: (Allocations & { readonly publications: number }) | undefined;
}

const cpuLimit = 1.8;
const saturationLimit = 0.5;
const ownStallMaxMs = 10;
const ownMaxBytes = 3000;

function measure(subject: Subject, options: Options): Promise<Seen> {
  const { topics: count, rate, bytes, ring, warmUp, seconds, probes, publisher } = options;
  const nodeArgs = options.nodeArgs.split(' ').filter(Boolean);
  const topics = topicNames(count);
  const flags = subject.peer === 'sluice' ? { ringMaxPublications: ring } : undefined;
  const load = { topics, messageBytes: bytes, connections: count, spread: true, probes, nodeArgs, flags };
  return withLoad(subject, load, (loaded) =>
    withWorkers(async (keep) => {
      const { worker, receivers } = loaded;
      const publish = await publishFrom(publisher, subject, loaded, keep);
      const job = { topics, rate, seconds, bytes };
      const steady = await trial({
        pid: worker.pid,
        receivers,
        publish,
        receiversEach: 1,
        job,
        warmUpSeconds: warmUp,
      });
      const again = () => settled(receivers, 1, () => publish(job));
      const trace = options.gaps ? await traced(worker, again) : undefined;
      const allocated = options.allocations ? await sampled(worker, again) : undefined;
      const full = options.saturation
        ? await saturate({ loaded, topics, bytes, receiversEach: 1, firstRate: rate / 2, seconds })
        : undefined;
      return { steady, full, trace, allocated };
    }),
  );
}

type Again = () => Promise<{ readonly sent: number }>;

async function traced(worker: Worker<PeerCalls>, again: Again): Promise<LoopTrace> {
  await worker.call('watchLoop');
  await again();
  return worker.call('loopTrace');
}

async function sampled(worker: Worker<PeerCalls>, again: Again): Promise<NonNullable<Seen['allocated']>> {
  await worker.call('sampleAllocations');
  const { sent } = await again();
  return { ...(await worker.call('allocations')), publications: sent };
}

const columns = [
  'subject',
  'CPU',
  'x raw',
  'p50 ms',
  'p99 ms',
  'x raw',
  'max ms',
  'load CPU',
  'load loop p99 ms',
  'lost',
];
const fullColumns = ['subject', 'most msg/s', 'x raw', 'CPU', 'p50 ms', 'p99 ms', 'load CPU'];

const cpu = ({ steady }: Seen): number => steady.cpu;
const p99 = ({ steady }: Seen): number => steady.received.latency.p99Ms;
const most = ({ full }: Seen): number => full!.publicationsPerSecond;

/** Every run counts, not the median. */
function lostOf(runs: Runs<Subject, Seen>, subject: Subject): number {
  return runs.sum(({ steady, full }) => steady.lost + (full?.lost ?? 0), subject);
}

function steadyRow(runs: Runs<Subject, Seen>, subject: Subject): (string | number)[] {
  return [
    subject.name,
    percentText(runs.of(subject, cpu)),
    runs.ratio(subject, rawEach, cpu),
    runs.of(subject, ({ steady }) => steady.received.latency.p50Ms),
    runs.of(subject, p99),
    runs.ratio(subject, rawEach, p99),
    runs.of(subject, ({ steady }) => steady.received.latency.maxMs),
    percentText(runs.of(subject, ({ steady }) => steady.received.cpu)),
    runs.of(subject, ({ steady }) => steady.received.loopDelayP99Ms),
    lostOf(runs, subject),
  ];
}

function fullRow(runs: Runs<Subject, Seen>, subject: Subject): (string | number)[] {
  return [
    subject.name,
    Math.round(runs.of(subject, most)),
    runs.ratio(subject, rawEach, most),
    percentText(runs.of(subject, ({ full }) => full!.cpu)),
    runs.of(subject, ({ full }) => full!.received.latency.p50Ms),
    runs.of(subject, ({ full }) => full!.received.latency.p99Ms),
    percentText(runs.of(subject, ({ full }) => full!.received.cpu)),
  ];
}

/** What the last run of each told of its process. */
function looks(runs: Runs<Subject, Seen>): Table[] {
  return runs.subjects.flatMap((subject) => {
    const { trace, allocated } = runs.all(subject).at(-1)!;
    return [
      ...(trace === undefined ? [] : [gapsTable(subject.name, trace)]),
      ...(allocated === undefined ? [] : [allocationsTable(subject.name, allocated, allocated.publications)]),
    ];
  });
}

function claims(runs: Runs<Subject, Seen>, subject: Subject, chosen: Options): Claim[] {
  const { name } = subject;
  const lost = lostOf(runs, subject);
  const made = [claim(`${name}: nothing is lost, repeated or out of place`, lost === 0, lost)];
  if (subject.dialect === 'protobuf') {
    const ratio = runs.ratio(subject, rawEach, cpu);
    made.push(atMost(`${name}: CPU at ${chosen.rate}/s to raw uWS`, ratio, cpuLimit, 'x'));
  }
  if (chosen.saturation && subject.dialect === 'protobuf') {
    const ratio = runs.ratio(subject, rawEach, most);
    made.push(atLeast(`${name}: publications/s at saturation to raw uWS`, ratio, saturationLimit, 'x'));
  }
  const { trace, allocated } = runs.all(subject).at(-1)!;
  if (trace !== undefined)
    made.push(atMost(`${name}: longest stall of its own`, longestOwnMs(trace), ownStallMaxMs, 'ms'));
  if (allocated !== undefined) {
    const each = allocated.ownBytes / allocated.publications;
    made.push(atMost(`${name}: garbage per publication`, each, ownMaxBytes, 'bytes'));
  }
  return made;
}

function ratios(runs: Runs<Subject, Seen>, subject: Subject, { rate, saturation }: Options): Ratio[] {
  // The names of the first subject are older than the second.
  const prefix = subject.dialect === 'protobuf' ? '' : `${subject.name}: `;
  const toRaw = (pick: (seen: Seen) => number) => runs.ratio(subject, rawEach, pick);
  const steady = [
    { name: `${prefix}CPU at ${rate}/s to raw`, value: toRaw(cpu), better: 'lower' },
    { name: `${prefix}p99 at ${rate}/s to raw`, value: toRaw(p99), better: 'lower' },
  ] as const;
  if (!saturation) return [...steady];
  const name = `${prefix}publications/s at saturation to raw`;
  return [...steady, { name, value: toRaw(most), better: 'higher' }];
}

export default scenario(options, async (chosen, say) => {
  const own = chosen.codecs.split(',').map((codec) => sluice(codec as 'protobuf' | 'json'));
  const subjects = [rawEach, ...own];
  const runs = await inTurn(subjects, chosen.runs, say, (subject) => measure(subject, chosen));
  const where = `${chosen.topics} topics with one subscriber each; publisher of the gateway: ${chosen.publisher}`;
  const steady = {
    title: `${where}; at ${chosen.rate}/s`,
    columns,
    rows: subjects.map((subject) => steadyRow(runs, subject)),
  };
  const full = {
    title: 'at saturation',
    columns: fullColumns,
    rows: chosen.saturation ? subjects.map((subject) => fullRow(runs, subject)) : [],
  };
  return {
    tables: [steady, ...(chosen.saturation ? [full] : []), ...looks(runs)],
    claims: own.flatMap((subject) => claims(runs, subject, chosen)),
    ratios: own.flatMap((subject) => ratios(runs, subject, chosen)),
    facts: { runs: runs.facts },
  };
});

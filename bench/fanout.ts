import { median, percentText } from './support/report.ts';
import {
  atMost,
  type Claim,
  claim,
  numbers,
  type OptionsOf,
  type Ratio,
  scenario,
} from './support/scenario.ts';
import { publisherOption, publishFrom } from './trials/publish-from.ts';
import { peers, rawBatch, rawEach, type Subject, sluice } from './trials/subject.ts';
import { type Trial, topicNames, trial, withLoad, withWorkers } from './trials/trial.ts';

const options = {
  connections: { default: 1000, sentence: 'Subscribers of the one topic.' },
  rates: { default: '100,1000', sentence: 'Publications per second.' },
  bytes: { default: '200', sentence: 'Sizes of a payload.' },
  codecs: { default: 'protobuf,json', sentence: 'Codecs of the gateway to look at.' },
  publisher: publisherOption,
  compress: { default: true, sentence: 'Let the gateway compress (--no-compress: never).' },
  peers: {
    default: true,
    sentence: 'Also ws and socket.io, where the rate is one that they can do (--no-peers: not).',
  },
  peersRate: { default: 100, sentence: 'The highest such rate, with 1000 connections.' },
  seconds: { default: 5, sentence: 'Measured time of each run.' },
  runs: { default: 3, sentence: 'Runs of each row; the table has their medians.' },
  probes: { default: 10, sentence: 'Connections that take the time.' },
} as const;
type Options = OptionsOf<typeof options>;

const topics = topicNames(1);

function subjects({ codecs, peers: wantsPeers, peersRate, connections }: Options, rate: number): Subject[] {
  const own = codecs.split(',').map((codec) => sluice(codec as 'protobuf' | 'json'));
  const canDo = wantsPeers && rate * connections <= peersRate * 1000;
  return [rawEach, rawBatch, ...own, ...(canDo ? peers : [])];
}

function measure(subject: Subject, rate: number, bytes: number, options: Options): Promise<Trial> {
  const { connections, probes, compress, seconds, publisher } = options;
  const flags = compress ? {} : { compressMinBytes: 0 };
  const load = { topics, messageBytes: bytes, connections, probes, flags };
  return withLoad(subject, load, (loaded) =>
    withWorkers(async (keep) => {
      const { worker, receivers } = loaded;
      const job = { topics, rate, seconds, bytes };
      const publish = await publishFrom(publisher, subject, loaded, keep);
      return trial({ pid: worker.pid, receivers, publish, receiversEach: connections, job });
    }),
  );
}

interface Figures {
  readonly subject: Subject;
  readonly rate: number;
  readonly bytes: number;
  readonly cpu: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly perSecond: number;
  readonly bytesEach: number;
  readonly lost: number;
  readonly loadCpu: number;
  readonly loadDelayMs: number;
  readonly latestMs: number;
}

function figures(
  subject: Subject,
  rate: number,
  bytes: number,
  runs: readonly Trial[],
  seconds: number,
): Figures {
  const of = (pick: (run: Trial) => number) => median(runs.map(pick));
  return {
    subject,
    rate,
    bytes,
    cpu: of((run) => run.cpu),
    p50Ms: of(({ received }) => received.latency.p50Ms),
    p99Ms: of(({ received }) => received.latency.p99Ms),
    perSecond: of(({ received }) => received.publications / seconds),
    bytesEach: of(({ received }) => received.bytes / received.publications),
    // Every run counts, not the median.
    lost: runs.reduce((sum, run) => sum + run.lost, 0),
    loadCpu: of(({ received }) => received.cpu),
    loadDelayMs: of(({ received }) => received.loopDelayP99Ms),
    latestMs: of((run) => run.latestMs),
  };
}

type BaseOf = (each: Figures, subject: Subject) => Figures;

function baseOf(all: readonly Figures[]): BaseOf {
  return (each, subject) =>
    all.find((other) => other.subject === subject && other.rate === each.rate && other.bytes === each.bytes)!;
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
  'bytes/delivery',
  'lost',
  'load CPU',
  'load loop p99 ms',
  'publisher late ms',
];

function row(each: Figures, base: BaseOf): (string | number)[] {
  return [
    each.subject.name,
    each.rate,
    each.bytes,
    percentText(each.cpu),
    each.cpu / base(each, rawBatch).cpu,
    each.p50Ms,
    each.p50Ms / base(each, rawEach).p50Ms,
    each.p99Ms,
    Math.round(each.perSecond),
    each.bytesEach,
    each.lost,
    percentText(each.loadCpu),
    each.loadDelayMs,
    each.latestMs,
  ];
}

function ratios(all: readonly Figures[], base: BaseOf): Ratio[] {
  const own = all.filter(({ subject }) => subject.peer === 'sluice');
  return own.flatMap((each) => {
    const where = `${each.subject.name}, ${each.rate}/s of ${each.bytes} bytes`;
    return [
      {
        name: `${where}: CPU to raw in 5 ms frames`,
        value: each.cpu / base(each, rawBatch).cpu,
        better: 'lower',
      },
      {
        name: `${where}: p50 to raw a frame each`,
        value: each.p50Ms / base(each, rawEach).p50Ms,
        better: 'lower',
      },
    ] as const;
  });
}

/** The rows that the claims are about, and the CPU that they allow. */
const cpuLimit = { protobuf: 1.3, json: 1.5 } as const;

function claims(all: readonly Figures[], base: BaseOf, { connections }: Options): Claim[] {
  const own = all.filter(({ subject }) => subject.peer === 'sluice');
  const lost = own.reduce((sum, each) => sum + each.lost, 0);
  const made = [claim('nothing is lost, repeated or out of place on any connection', lost === 0, lost)];
  for (const each of own) {
    if (each.bytes !== 200 || connections !== 1000) continue;
    const { name, dialect } = each.subject;
    const where = `${name}, 1000 connections x ${each.rate}/s`;
    if (each.rate === 1000) {
      const ratio = each.cpu / base(each, rawBatch).cpu;
      made.push(atMost(`${where}: CPU to raw uWS in 5 ms frames`, ratio, cpuLimit[dialect as 'json'], 'x'));
      if (dialect === 'protobuf') made.push(atMost(`${where}: p99`, each.p99Ms, 15, 'ms'));
    } else if (each.rate === 100) {
      const ratio = each.p50Ms / base(each, rawEach).p50Ms;
      made.push(atMost(`${where}: p50 to raw uWS a frame each`, ratio, 1.5, 'x'));
    }
  }
  return made;
}

export default scenario(options, async (chosen, say) => {
  const all: Figures[] = [];
  for (const bytes of numbers(chosen.bytes)) {
    for (const rate of numbers(chosen.rates)) {
      const runs = new Map<Subject, Trial[]>(subjects(chosen, rate).map((subject) => [subject, []]));
      // In turn, so that a temporary disturbance of the machine affects all of them.
      for (let i = 0; i < chosen.runs; i++) {
        for (const [subject, done] of runs) {
          say(`${subject.name}: ${rate}/s of ${bytes} bytes, run ${i + 1} of ${chosen.runs}`);
          done.push(await measure(subject, rate, bytes, chosen));
        }
      }
      for (const [subject, done] of runs) all.push(figures(subject, rate, bytes, done, chosen.seconds));
    }
  }
  const base = baseOf(all);
  const title = `${chosen.connections} connections on one topic; publisher of the gateway: ${chosen.publisher}`;
  return {
    tables: [{ title, columns, rows: all.map((each) => row(each, base)) }],
    claims: claims(all, base, chosen),
    ratios: ratios(all, base),
    facts: { figures: all },
  };
});

import { percentText } from './support/report.ts';
import { inTurn, nothingLost, type Runs } from './support/runs.ts';
import {
  atMost,
  type Claim,
  numbers,
  type OptionsOf,
  type Ratio,
  scenario,
  usual,
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
  seconds: usual.seconds,
  runs: usual.runs,
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

/** One row of the table. */
interface Load {
  readonly name: string;
  readonly subject: Subject;
  readonly rate: number;
  readonly bytes: number;
}

type Seen = Runs<Load, Trial>;

/** The row of another subject with the same load. */
function beside(runs: Seen, { rate, bytes }: Load, subject: Subject): Load {
  const isIt = (load: Load) => load.subject === subject && load.rate === rate && load.bytes === bytes;
  return runs.subjects.find(isIt)!;
}

const cpuToRaw = (runs: Seen, load: Load) => runs.ratio(load, beside(runs, load, rawBatch), (run) => run.cpu);
const p50ToRaw = (runs: Seen, load: Load) =>
  runs.ratio(load, beside(runs, load, rawEach), ({ received }) => received.latency.p50Ms);

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

function row(runs: Seen, load: Load, seconds: number): (string | number)[] {
  const of = (pick: (run: Trial) => number) => runs.of(load, pick);
  return [
    load.subject.name,
    load.rate,
    load.bytes,
    percentText(of((run) => run.cpu)),
    cpuToRaw(runs, load),
    of(({ received }) => received.latency.p50Ms),
    p50ToRaw(runs, load),
    of(({ received }) => received.latency.p99Ms),
    Math.round(of(({ received }) => received.publications / seconds)),
    of(({ received }) => received.bytes / received.publications),
    runs.sum((run) => run.lost, load),
    percentText(of(({ received }) => received.cpu)),
    of(({ received }) => received.loopDelayP99Ms),
    of((run) => run.latestMs),
  ];
}

function ratios(runs: Seen, own: readonly Load[]): Ratio[] {
  return own.flatMap((load): Ratio[] => {
    const where = `${load.subject.name}, ${load.rate}/s of ${load.bytes} bytes`;
    return [
      { name: `${where}: CPU to raw in 5 ms frames`, value: cpuToRaw(runs, load), better: 'lower' },
      { name: `${where}: p50 to raw a frame each`, value: p50ToRaw(runs, load), better: 'lower' },
    ];
  });
}

/** The rows that the claims are about, and the CPU that they allow. */
const cpuLimit = { protobuf: 1.3, json: 1.5 } as const;

function claims(runs: Seen, own: readonly Load[], { connections }: Options): Claim[] {
  const made = [nothingLost(own.reduce((sum, load) => sum + runs.sum((run) => run.lost, load), 0))];
  for (const load of own) {
    if (load.bytes !== 200 || connections !== 1000) continue;
    const { name, dialect } = load.subject;
    const where = `${name}, 1000 connections x ${load.rate}/s`;
    if (load.rate === 1000) {
      const limit = cpuLimit[dialect as 'json'];
      made.push(atMost(`${where}: CPU to raw uWS in 5 ms frames`, cpuToRaw(runs, load), limit, 'x'));
      const p99Ms = runs.of(load, ({ received }) => received.latency.p99Ms);
      if (dialect === 'protobuf') made.push(atMost(`${where}: p99`, p99Ms, 15, 'ms'));
    } else if (load.rate === 100)
      made.push(atMost(`${where}: p50 to raw uWS a frame each`, p50ToRaw(runs, load), 1.5, 'x'));
  }
  return made;
}

export default scenario(options, async (chosen, say) => {
  const loads = numbers(chosen.bytes).flatMap((bytes) =>
    numbers(chosen.rates).flatMap((rate) =>
      subjects(chosen, rate).map((subject): Load => {
        const name = `${subject.name}: ${rate}/s of ${bytes} bytes`;
        return { name, subject, rate, bytes };
      }),
    ),
  );
  const runs = await inTurn(loads, chosen.runs, say, ({ subject, rate, bytes }) =>
    measure(subject, rate, bytes, chosen),
  );
  const own = loads.filter(({ subject }) => subject.peer === 'sluice');
  const title = `${chosen.connections} connections on one topic; publisher of the gateway: ${chosen.publisher}`;
  return {
    tables: [{ title, columns, rows: loads.map((load) => row(runs, load, chosen.seconds)) }],
    claims: claims(runs, own, chosen),
    ratios: ratios(runs, own),
    facts: { runs: runs.facts },
  };
});

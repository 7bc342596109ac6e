import { median, percentText } from './support/report.ts';
import { atLeast, type Claim, claim, type OptionsOf, type Ratio, scenario } from './support/scenario.ts';
import { type Saturation, saturate } from './trials/saturate.ts';
import { peers, rawBatch, rawEach, type Subject, sluice, socketIo, wsLoop } from './trials/subject.ts';
import { topicNames, withLoad } from './trials/trial.ts';

const options = {
  connections: { default: 1000, sentence: 'Subscribers of the one topic.' },
  bytes: { default: 200, sentence: 'Size of a payload.' },
  compress: { default: true, sentence: 'Let the gateway compress (--no-compress: never).' },
  peers: { default: true, sentence: 'Also ws and socket.io (--no-peers: not).' },
  seconds: { default: 5, sentence: 'Measured time of each run, after the rate has been found.' },
  runs: { default: 3, sentence: 'Runs of each row; the table has their medians.' },
  probes: { default: 10, sentence: 'Connections that take the time.' },
} as const;
type Options = OptionsOf<typeof options>;

const topics = topicNames(1);
const firstRate = 100;

function measure(subject: Subject, options: Options): Promise<Saturation> {
  const { connections, bytes, compress, probes, seconds } = options;
  const flags = compress ? {} : { compressMinBytes: 0 };
  return withLoad(subject, { topics, messageBytes: bytes, connections, probes, flags }, (loaded) =>
    saturate({ loaded, topics, bytes, receiversEach: connections, firstRate, seconds }),
  );
}

const columns = [
  'subject',
  'deliveries/s',
  'x 5 ms raw',
  'msg/s',
  'CPU',
  'p50 ms',
  'p99 ms',
  'bytes/delivery',
  'lost',
  'load CPU',
  'load loop p99 ms',
];

interface Figures {
  readonly subject: Subject;
  readonly perSecond: number;
  readonly cells: readonly (string | number)[];
  readonly lost: number;
}

function figures(subject: Subject, runs: readonly Saturation[]): Figures {
  const of = (pick: (run: Saturation) => number) => median(runs.map(pick));
  const lost = runs.reduce((sum, run) => sum + run.lost, 0);
  return {
    subject,
    perSecond: of((run) => run.deliveriesPerSecond),
    lost,
    cells: [
      Math.round(of((run) => run.publicationsPerSecond)),
      percentText(of((run) => run.cpu)),
      of(({ received }) => received.latency.p50Ms),
      of(({ received }) => received.latency.p99Ms),
      of(({ received }) => received.bytes / received.publications),
      lost,
      percentText(of(({ received }) => received.cpu)),
      of(({ received }) => received.loopDelayP99Ms),
    ],
  };
}

/** The targets, relative to raw uWebSockets.js, to NATS on such a machine, and to the peers. */
const ofRaw = 0.7;
const natsPerSecond = 4.5e6;
const timesNats = 4;
const timesPeers = 50;
/** If the generator reaches no more than this with raw uWebSockets.js, it may limit the gateway's figure. */
const ceilingPerSecond = 20e6;

function claims(all: readonly Figures[]): Claim[] {
  const of = (subject: Subject) => all.find((each) => each.subject === subject)?.perSecond;
  const own = all.find(({ subject }) => subject.dialect === 'protobuf')!;
  const raw = of(rawBatch)!;
  const lost = all.reduce((sum, each) => sum + (each.subject.peer === 'sluice' ? each.lost : 0), 0);
  const name = `${own.subject.name} at saturation: deliveries/s`;
  return [
    claim('nothing is lost, repeated or out of place on any connection', lost === 0, lost),
    atLeast(`${name} to raw uWS in 5 ms frames`, own.perSecond / raw, ofRaw, 'x'),
    claim(
      '… where the generator can show 20 M/s of raw uWS',
      raw >= ceilingPerSecond,
      `${(raw / 1e6).toFixed(1)} M/s`,
    ),
    atLeast(`${name} to NATS, which did 4.5 M here`, own.perSecond / natsPerSecond, timesNats, 'x'),
    ...[wsLoop, socketIo].flatMap((peer) => {
      const theirs = of(peer);
      const ratio = own.perSecond / (theirs ?? Number.NaN);
      return theirs === undefined ? [] : [atLeast(`${name} to ${peer.name}`, ratio, timesPeers, 'x')];
    }),
  ];
}

export default scenario(options, async (chosen, say) => {
  const subjects = [rawEach, rawBatch, sluice('protobuf'), sluice('json'), ...(chosen.peers ? peers : [])];
  const runs = new Map<Subject, Saturation[]>(subjects.map((subject) => [subject, []]));
  for (let i = 0; i < chosen.runs; i++) {
    for (const [subject, done] of runs) {
      say(`${subject.name}, run ${i + 1} of ${chosen.runs}`);
      done.push(await measure(subject, chosen));
    }
  }
  const all = [...runs].map(([subject, done]) => figures(subject, done));
  const raw = all.find(({ subject }) => subject === rawBatch)!.perSecond;
  const ratios: Ratio[] = all
    .filter(({ subject }) => subject !== rawBatch)
    .map(({ subject, perSecond }) => ({
      name: `${subject.name}: deliveries/s to raw in 5 ms frames`,
      value: perSecond / raw,
      better: 'higher',
    }));
  const title = `${chosen.connections} connections on one topic, as much as they get without falling behind`;
  const rows = all.map(({ subject, perSecond, cells }) => [
    subject.name,
    Math.round(perSecond),
    perSecond / raw,
    ...cells,
  ]);
  return {
    tables: [{ title, columns, rows }],
    claims: claims(all),
    ratios,
    facts: { runs: Object.fromEntries([...runs].map(([{ name }, done]) => [name, done])) },
  };
});

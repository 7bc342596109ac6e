import { percentText } from './support/report.ts';
import { inTurn, nothingLost, type Runs } from './support/runs.ts';
import {
  atLeast,
  type Claim,
  claim,
  type OptionsOf,
  type Ratio,
  scenario,
  usual,
} from './support/scenario.ts';
import { type Saturation, saturate } from './trials/saturate.ts';
import { peers, rawBatch, rawEach, type Subject, sluice, socketIo, wsLoop } from './trials/subject.ts';
import { topicNames, withLoad } from './trials/trial.ts';

const options = {
  connections: { default: 1000, sentence: 'Subscribers of the one topic.' },
  bytes: usual.bytes,
  compress: { default: true, sentence: 'Let the gateway compress (--no-compress: never).' },
  peers: { default: true, sentence: 'Also ws and socket.io (--no-peers: not).' },
  seconds: { default: 5, sentence: 'Measured time of each run, after the rate has been found.' },
  runs: usual.runs,
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
  'named as missing',
  'load CPU',
  'load loop p99 ms',
];

/** The targets, relative to raw uWebSockets.js, to NATS on such a machine, and to the peers. */
const ofRaw = 0.7;
const natsPerSecond = 4.5e6;
const timesNats = 4;
const timesPeers = 50;
/** If the generator reaches no more than this with raw uWebSockets.js, it may limit the gateway's figure. */
const ceilingPerSecond = 20e6;

const deliveries = (run: Saturation) => run.deliveriesPerSecond;
const own = sluice('protobuf');
const ours = [own, sluice('json')];

function claims(runs: Runs<Subject, Saturation>): Claim[] {
  const raw = runs.of(rawBatch, deliveries);
  const lost = ours.reduce((sum, subject) => sum + runs.sum((run) => run.lost, subject), 0);
  const name = `${own.name} at saturation: deliveries/s`;
  return [
    nothingLost(lost),
    atLeast(`${name} to raw uWS in 5 ms frames`, runs.ratio(own, rawBatch, deliveries), ofRaw, 'x'),
    claim(
      '… where the generator can show 20 M/s of raw uWS',
      raw >= ceilingPerSecond,
      `${(raw / 1e6).toFixed(1)} M/s`,
    ),
    atLeast(
      `${name} to NATS, which did 4.5 M here`,
      runs.of(own, deliveries) / natsPerSecond,
      timesNats,
      'x',
    ),
    ...[wsLoop, socketIo]
      .filter((peer) => runs.subjects.includes(peer))
      .map((peer) => atLeast(`${name} to ${peer.name}`, runs.ratio(own, peer, deliveries), timesPeers, 'x')),
  ];
}

export default scenario(options, async (chosen, say) => {
  const subjects = [rawEach, rawBatch, ...ours, ...(chosen.peers ? peers : [])];
  const runs = await inTurn(subjects, chosen.runs, say, (subject) => measure(subject, chosen));
  const ratios: Ratio[] = subjects
    .filter((subject) => subject !== rawBatch)
    .map((subject) => ({
      name: `${subject.name}: deliveries/s to raw in 5 ms frames`,
      value: runs.ratio(subject, rawBatch, deliveries),
      better: 'higher',
    }));
  const title = `${chosen.connections} connections on one topic, as much as they get without falling behind`;
  const rows = subjects.map((subject) => [
    subject.name,
    Math.round(runs.of(subject, deliveries)),
    runs.ratio(subject, rawBatch, deliveries),
    Math.round(runs.of(subject, (run) => run.publicationsPerSecond)),
    percentText(runs.of(subject, (run) => run.cpu)),
    runs.of(subject, ({ received }) => received.latency.p50Ms),
    runs.of(subject, ({ received }) => received.latency.p99Ms),
    runs.of(subject, ({ received }) => received.bytes / received.publications),
    runs.sum((run) => run.lost, subject),
    runs.sum(({ received }) => received.missed, subject),
    percentText(runs.of(subject, ({ received }) => received.cpu)),
    runs.of(subject, ({ received }) => received.loopDelayP99Ms),
  ]);
  return { tables: [{ title, columns, rows }], claims: claims(runs), ratios, facts: { runs: runs.facts } };
});

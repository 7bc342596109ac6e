import { median, percentText } from './support/report.ts';
import { type Saturation, saturate } from './support/saturate.ts';
import { atLeast, atMost, claim, type OptionsOf, scenario } from './support/scenario.ts';
import { rawEach, type Subject, sluice } from './support/subject.ts';
import { type Trial, topicNames, trial, withLoad } from './support/trial.ts';

const options = {
  topics: { default: 1000, sentence: 'Topics, each with one subscriber of its own.' },
  rate: { default: 20_000, sentence: 'Publications per second, to the topics in turn.' },
  bytes: { default: 200, sentence: 'Size of a payload.' },
  warmUp: {
    default: 6,
    sentence: 'Seconds before: the compiler works on the core of the gateway, and a gateway runs for long.',
  },
  seconds: { default: 5, sentence: 'Measured time of each run.' },
  runs: { default: 3, sentence: 'Runs of each row; the table has their medians.' },
  probes: { default: 20, sentence: 'Connections that take the time.' },
} as const;
type Options = OptionsOf<typeof options>;

interface Seen {
  readonly steady: Trial;
  readonly full: Saturation;
}

const subjects = [rawEach, sluice('protobuf')] as const;
const cpuLimit = 1.8;
const saturationLimit = 0.5;

function measure(subject: Subject, options: Options): Promise<Seen> {
  const { topics: count, rate, bytes, warmUp, seconds, probes } = options;
  const topics = topicNames(count);
  const load = { topics, messageBytes: bytes, connections: count, spread: true, probes };
  return withLoad(subject, load, async (loaded) => {
    const { worker, receivers } = loaded;
    const steady = await trial({
      pid: worker.pid,
      receivers,
      publish: (job) => worker.call('publish', job),
      receiversEach: 1,
      job: { topics, rate, seconds, bytes },
      warmUpSeconds: warmUp,
    });
    const full = await saturate({ loaded, topics, bytes, receiversEach: 1, firstRate: rate / 2, seconds });
    return { steady, full };
  });
}

const columns = [
  'subject',
  'CPU',
  'x raw',
  'p50 ms',
  'p99 ms',
  'load CPU',
  'most msg/s',
  'x raw',
  'CPU',
  'p99 ms',
  'load CPU',
  'lost',
];

export default scenario(options, async (chosen, say) => {
  const runs = new Map<Subject, Seen[]>(subjects.map((subject) => [subject, []]));
  for (let i = 0; i < chosen.runs; i++) {
    for (const [subject, done] of runs) {
      say(`${subject.name}, run ${i + 1} of ${chosen.runs}`);
      done.push(await measure(subject, chosen));
    }
  }
  const of = (subject: Subject, pick: (seen: Seen) => number) => median(runs.get(subject)!.map(pick));
  const ratio = (subject: Subject, pick: (seen: Seen) => number) => of(subject, pick) / of(rawEach, pick);
  const cpu = ({ steady }: Seen) => steady.cpu;
  const most = ({ full }: Seen) => full.publicationsPerSecond;
  const lost = (subject: Subject) =>
    runs.get(subject)!.reduce((sum, { steady, full }) => sum + steady.lost + full.lost, 0);
  const rows = subjects.map((subject) => [
    subject.name,
    percentText(of(subject, cpu)),
    ratio(subject, cpu),
    of(subject, ({ steady }) => steady.received.latency.p50Ms),
    of(subject, ({ steady }) => steady.received.latency.p99Ms),
    percentText(of(subject, ({ steady }) => steady.received.cpu)),
    Math.round(of(subject, most)),
    ratio(subject, most),
    percentText(of(subject, ({ full }) => full.cpu)),
    of(subject, ({ full }) => full.received.latency.p99Ms),
    percentText(of(subject, ({ full }) => full.received.cpu)),
    lost(subject),
  ]);
  const own = subjects[1];
  const where = `${chosen.topics} topics with one subscriber each`;
  return {
    tables: [{ title: `${where}; at ${chosen.rate}/s, then at saturation`, columns, rows }],
    claims: [
      claim('nothing is lost, repeated or out of place on any connection', lost(own) === 0, lost(own)),
      atMost(`${where}: CPU at ${chosen.rate}/s to raw uWS`, ratio(own, cpu), cpuLimit, 'x'),
      atLeast(`${where}: publications/s at saturation to raw uWS`, ratio(own, most), saturationLimit, 'x'),
    ],
    ratios: [
      { name: `CPU at ${chosen.rate}/s to raw`, value: ratio(own, cpu), better: 'lower' },
      { name: 'publications/s at saturation to raw', value: ratio(own, most), better: 'higher' },
    ],
    facts: { runs: Object.fromEntries([...runs].map(([{ name }, done]) => [name, done])) },
  };
});

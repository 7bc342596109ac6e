import { median, percentText } from './support/report.ts';
import { atMost, claim, type OptionsOf, type Ratio, scenario } from './support/scenario.ts';
import { publisherOption, publishFrom } from './trials/publish-from.ts';
import { type Subject, sluice } from './trials/subject.ts';
import { type Trial, topicNames, trial, withLoad, withWorkers } from './trials/trial.ts';

const options = {
  connections: { default: 1000, sentence: 'Subscribers of the one topic.' },
  rate: { default: 100, sentence: 'Publications per second.' },
  bytes: { default: 200, sentence: 'Size of a payload.' },
  publisher: publisherOption,
  warmUp: { default: 3, sentence: 'Seconds before: the compiler works on the core of the gateway.' },
  seconds: { default: 5, sentence: 'Measured time of each run.' },
  runs: { default: 3, sentence: 'Runs of each row, in turn; the table has their medians.' },
  probes: { default: 10, sentence: 'Connections that take the time.' },
} as const;
type Options = OptionsOf<typeof options>;

const topics = topicNames(1);
const webSockets = sluice('json');
const streams = sluice('sse');
/** What a stream may cost of what a WebSocket costs: it is written to one by one, a WebSocket by the library. */
const cpuLimit = 1.5;

function measure(subject: Subject, chosen: Options): Promise<Trial> {
  const { connections, rate, bytes, publisher, warmUp, seconds, probes } = chosen;
  return withLoad(subject, { topics, messageBytes: bytes, connections, probes }, (loaded) =>
    withWorkers(async (keep) => {
      const { worker, receivers } = loaded;
      return trial({
        pid: worker.pid,
        receivers,
        publish: await publishFrom(publisher, subject, loaded, keep),
        receiversEach: connections,
        job: { topics, rate, seconds, bytes },
        warmUpSeconds: warmUp,
      });
    }),
  );
}

export default scenario(options, async (chosen, say) => {
  const runs = new Map<Subject, Trial[]>([webSockets, streams].map((subject) => [subject, []]));
  for (let i = 0; i < chosen.runs; i++) {
    for (const [subject, done] of runs) {
      say(`${subject.name}, run ${i + 1} of ${chosen.runs}`);
      done.push(await measure(subject, chosen));
    }
  }
  const of = (subject: Subject, pick: (run: Trial) => number) => median(runs.get(subject)!.map(pick));
  const cpu = (run: Trial) => run.cpu;
  const p99 = ({ received }: Trial) => received.latency.p99Ms;
  const ratio = (pick: (run: Trial) => number) => of(streams, pick) / of(webSockets, pick);
  const rows = [webSockets, streams].map((subject) => [
    subject.name,
    percentText(of(subject, cpu)),
    of(subject, cpu) / of(webSockets, cpu),
    of(subject, ({ received }) => received.latency.p50Ms),
    of(subject, p99),
    of(subject, p99) / of(webSockets, p99),
    runs.get(subject)!.reduce((sum, { lost }) => sum + lost, 0),
    percentText(of(subject, ({ received }) => received.cpu)),
    of(subject, ({ received }) => received.loopDelayP99Ms),
  ]);
  const lost = [...runs.values()].flat().reduce((sum, run) => sum + run.lost, 0);
  const ratios: Ratio[] = [
    { name: 'CPU of streams to WebSockets', value: ratio(cpu), better: 'lower' },
    { name: 'p99 of streams to WebSockets', value: ratio(p99), better: 'lower' },
  ];
  const columns = ['subject', 'CPU', 'x', 'p50 ms', 'p99 ms', 'x', 'lost'];
  return {
    tables: [
      {
        title: `${chosen.connections} connections on one topic, ${chosen.rate} publications per second`,
        columns: [...columns, 'load CPU', 'load loop p99 ms'],
        rows,
      },
    ],
    claims: [
      claim('nothing is lost, repeated or out of place on any connection', lost === 0, lost),
      atMost('CPU of streams to WebSockets of the JSON codec', ratio(cpu), cpuLimit, 'x'),
    ],
    ratios,
    facts: { runs: Object.fromEntries([...runs].map(([{ name }, done]) => [name, done])) },
  };
});

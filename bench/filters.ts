import type { Filter } from '../src/protocol/frames.ts';
import { median, percentText } from './support/report.ts';
import { atMost, claim, type OptionsOf, scenario } from './support/scenario.ts';
import { sluice, startSubject } from './trials/subject.ts';
import { startReceivers, type Trial, topicNames, trial, withWorkers } from './trials/trial.ts';

const options = {
  clientsEach: { default: 100, sentence: 'Connections that share a filter.' },
  rate: { default: 1000, sentence: 'Publications per second.' },
  bytes: { default: 200, sentence: 'Size of a payload.' },
  seconds: { default: 5, sentence: 'Measured time of each run.' },
  runs: { default: 3, sentence: 'Runs of each row; the table has their medians.' },
  probes: { default: 2, sentence: 'Connections of each filter that take the time.' },
} as const;
type Options = OptionsOf<typeof options>;

/** As those of dashboards: what, where, how bad, how much. */
const tags = { server_id: 'web-01', monitoring_type: 'cpu', level: 'critical', value: '97.5' };

/** All match, each in another way. */
const filters: readonly Filter[] = [
  { op: 'eq', tag: 'server_id', value: 'web-01' },
  { op: 'eq', tag: 'monitoring_type', value: 'cpu' },
  { op: 'eq', tag: 'level', value: 'critical' },
  { op: 'in', tag: 'level', values: ['warning', 'critical'] },
  { op: 'prefix', tag: 'server_id', value: 'web-' },
  { op: 'gte', tag: 'value', number: 90 },
  { op: 'exists', tag: 'level' },
  { op: 'not', filters: [{ op: 'eq', tag: 'level', value: 'ok' }] },
  {
    op: 'and',
    filters: [
      { op: 'eq', tag: 'server_id', value: 'web-01' },
      { op: 'in', tag: 'level', values: ['warning', 'critical'] },
    ],
  },
  {
    op: 'or',
    filters: [
      { op: 'gt', tag: 'value', number: 95 },
      { op: 'eq', tag: 'level', value: 'critical' },
    ],
  },
];
const none: readonly undefined[] = filters.map(() => undefined);

const subjects = { 'no filter': none, '10 filters': filters } as const;
type SubjectName = keyof typeof subjects;

const cpuLimit = 2;

function measure(chosen: readonly (Filter | undefined)[], options: Options): Promise<Trial> {
  const { clientsEach, rate, bytes, seconds, probes } = options;
  return withWorkers(async (keep) => {
    const topics = topicNames(1);
    const subject = sluice('protobuf');
    const { worker, port } = await startSubject(subject, { topics: 1 });
    keep(worker);
    const receivers = keep(startReceivers());
    const opening = { port, dialect: subject.dialect, topics, messageBytes: bytes, probes };
    for (const filter of chosen)
      await receivers.call('open', { ...opening, connections: clientsEach, subscription: { filter } });
    return trial({
      pid: worker.pid,
      receivers,
      publish: (job) => worker.call('publish', job),
      receiversEach: clientsEach * chosen.length,
      job: { topics, rate, seconds, bytes, tags },
    });
  });
}

export default scenario(options, async (chosen, say) => {
  const runs: Record<SubjectName, Trial[]> = { 'no filter': [], '10 filters': [] };
  const names = Object.keys(subjects) as SubjectName[];
  for (let i = 0; i < chosen.runs; i++) {
    for (const name of names) {
      say(`${name}, run ${i + 1} of ${chosen.runs}`);
      runs[name].push(await measure(subjects[name], chosen));
    }
  }
  const of = (name: SubjectName, pick: (run: Trial) => number) => median(runs[name].map(pick));
  const cpu = (run: Trial) => run.cpu;
  const ratio = of('10 filters', cpu) / of('no filter', cpu);
  const lost = Object.values(runs)
    .flat()
    .reduce((sum, run) => sum + run.lost, 0);
  const columns = ['', 'CPU', 'x none', 'p50 ms', 'p99 ms', 'lost', 'load CPU', 'load loop p99 ms'];
  const rows = names.map((name) => [
    name,
    percentText(of(name, cpu)),
    of(name, cpu) / of('no filter', cpu),
    of(name, ({ received }) => received.latency.p50Ms),
    of(name, ({ received }) => received.latency.p99Ms),
    runs[name].reduce((sum, run) => sum + run.lost, 0),
    percentText(of(name, ({ received }) => received.cpu)),
    of(name, ({ received }) => received.loopDelayP99Ms),
  ]);
  const count = filters.length * chosen.clientsEach;
  const name = `${filters.length} filters that match, ${chosen.clientsEach} clients each: CPU to no filter`;
  return {
    tables: [{ title: `${count} connections x ${chosen.rate}/s`, columns, rows }],
    claims: [
      claim('nothing is lost, repeated or out of place on any connection', lost === 0, lost),
      atMost(name, ratio, cpuLimit, 'x'),
    ],
    ratios: [{ name: 'CPU to no filter', value: ratio, better: 'lower' }],
    facts: { runs },
  };
});

import type { Filter } from '../src/protocol/frames.ts';
import { percentText } from './support/report.ts';
import { inTurn, nothingLost } from './support/runs.ts';
import { atMost, type OptionsOf, scenario, usual } from './support/scenario.ts';
import { sluice, startSubject } from './trials/subject.ts';
import { startReceivers, type Trial, topicNames, trial, withWorkers } from './trials/trial.ts';

const options = {
  clientsEach: { default: 100, sentence: 'Connections that share a filter.' },
  rate: { default: 1000, sentence: 'Publications per second.' },
  ...usual,
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

interface Kind {
  readonly name: string;
  readonly filters: readonly (Filter | undefined)[];
}

const none: Kind = { name: 'no filter', filters: filters.map(() => undefined) };
const ten: Kind = { name: '10 filters', filters };
const kinds = [none, ten];

const cpuLimit = 2;

function measure({ filters: chosen }: Kind, options: Options): Promise<Trial> {
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

const cpu = (run: Trial) => run.cpu;

export default scenario(options, async (chosen, say) => {
  const runs = await inTurn(kinds, chosen.runs, say, (kind) => measure(kind, chosen));
  const ratio = runs.ratio(ten, none, cpu);
  const columns = ['', 'CPU', 'x none', 'p50 ms', 'p99 ms', 'lost', 'load CPU', 'load loop p99 ms'];
  const rows = kinds.map((kind) => [
    kind.name,
    percentText(runs.of(kind, cpu)),
    runs.ratio(kind, none, cpu),
    runs.of(kind, ({ received }) => received.latency.p50Ms),
    runs.of(kind, ({ received }) => received.latency.p99Ms),
    runs.sum(({ lost }) => lost, kind),
    percentText(runs.of(kind, ({ received }) => received.cpu)),
    runs.of(kind, ({ received }) => received.loopDelayP99Ms),
  ]);
  const count = filters.length * chosen.clientsEach;
  const name = `${filters.length} filters that match, ${chosen.clientsEach} clients each: CPU to no filter`;
  return {
    tables: [{ title: `${count} connections x ${chosen.rate}/s`, columns, rows }],
    claims: [nothingLost(runs.sum(({ lost }) => lost)), atMost(name, ratio, cpuLimit, 'x')],
    ratios: [{ name: 'CPU to no filter', value: ratio, better: 'lower' }],
    facts: { runs: runs.facts },
  };
});

import { type RedisCosts, startMeasuredRedis } from './support/measured-redis.ts';
import { cpuSeconds } from './support/proc.ts';
import { median, percentText } from './support/report.ts';
import { atMost, type Claim, claim, numbers, type OptionsOf, scenario } from './support/scenario.ts';
import { saturate } from './trials/saturate.ts';
import { type Started, type Subject, sluice, socketIo, startSubject } from './trials/subject.ts';
import { startReceivers, type Trial, topicNames, trial, withWorkers } from './trials/trial.ts';

const options = {
  connections: { default: 1000, sentence: 'Subscribers, all of one node; the other one publishes.' },
  topics: {
    default: '1000,1',
    sentence: 'Topics that they are spread over: as many as subscribers, one each; or one for all.',
  },
  rate: { default: 1000, sentence: 'Publications per second.' },
  bytes: { default: 200, sentence: 'Size of a payload.' },
  warmUp: { default: 5, sentence: 'Seconds before.' },
  seconds: { default: 5, sentence: 'Measured time of each run.' },
  runs: { default: 3, sentence: 'Runs of each row, in turn; the table has their medians.' },
  probes: { default: 20, sentence: 'Connections that take the time.' },
  listeners: { default: 0, sentence: 'Further nodes without clients: what it takes to hear of everything.' },
  saturation: { default: true, sentence: 'Also the most publications per second (--no-saturation: not).' },
} as const;
type Options = OptionsOf<typeof options>;

interface System {
  readonly name: string;
  readonly subject: Subject;
  readonly hasRedis: boolean;
}

const one: System = { name: 'one node, memory', subject: sluice('protobuf'), hasRedis: false };
const two: System = { name: 'two nodes, Redis', subject: sluice('protobuf'), hasRedis: true };
const other: System = { name: 'socket.io, two nodes, Redis streams', subject: socketIo, hasRedis: true };
const systems = [one, two, other];

/** Of socket.io with its adapter for streams. */
const p99Limit = 0.5;

interface Run {
  readonly trial: Trial;
  readonly redis: RedisCosts | undefined;
  /** CPU time of a node without clients, microseconds for each publication; 0: there was none. */
  readonly listenerUs: number;
  /** The most publications per second that all receivers got. */
  readonly most: number;
}

async function measure({ subject, hasRedis }: System, topicCount: number, chosen: Options): Promise<Run> {
  const { connections, rate, bytes, warmUp, seconds, probes, saturation } = chosen;
  const topics = topicNames(topicCount);
  const spread = topicCount > 1;
  return withWorkers(async (keep) => {
    const redis = hasRedis ? await startMeasuredRedis() : undefined;
    keep({ end: () => redis?.remove() });
    const start = async (core?: number | 'any'): Promise<Started> => {
      const flags = redis && { engine: 'redis', redis: redis.url };
      const started = await startSubject(
        subject,
        { topics: topicCount, spread, flags, redisUrl: redis?.url },
        [],
        core,
      );
      keep(started.worker);
      return started;
    };
    const reading = await start();
    const publishing = hasRedis ? await start('any') : reading;
    const listeners: Started[] = [];
    for (let i = 0; hasRedis && i < chosen.listeners; i++) listeners.push(await start('any'));
    const receivers = keep(startReceivers());
    const { port } = reading;
    await receivers.call('open', {
      ...{ port, dialect: subject.dialect, topics, spread, connections, messageBytes: bytes, probes },
    });
    const publish = (job: Parameters<typeof publishing.worker.call<'publish'>>[1]) =>
      publishing.worker.call('publish', job);
    const receiversEach = spread ? connections / topicCount : connections;
    const job = { topics, rate, seconds, bytes };
    const costs = await redis?.measure();
    const listening = () => listeners.reduce((sum, { worker }) => sum + cpuSeconds(worker.pid), 0);
    const listenedBefore = listening();
    const steady = await trial({
      ...{ pid: reading.worker.pid, receivers, publish, receiversEach, job, warmUpSeconds: warmUp },
    });
    const published = steady.sent + warmUp * rate;
    const seen = await costs?.(published);
    const listenerUs = ((listening() - listenedBefore) / published / (listeners.length || 1)) * 1e6;
    const loaded = { ...publishing, receivers };
    const full = saturation
      ? await saturate({ loaded, topics, bytes, receiversEach, firstRate: rate / 2, seconds })
      : undefined;
    return { trial: steady, redis: seen, listenerUs, most: full?.publicationsPerSecond ?? 0 };
  });
}

const columns = [
  'subject',
  'topics',
  'p50 ms',
  'p99 ms',
  'max ms',
  'lost',
  'most msg/s',
  'CPU of the reader',
  'load CPU',
];
const redisColumns = [
  'subject',
  'topics',
  'sent',
  'commands',
  'bytes in',
  'bytes out',
  'Redis CPU us',
  'listener CPU us',
];

export default scenario(options, async (chosen, say) => {
  const rows: (string | number)[][] = [];
  const redisRows: (string | number)[][] = [];
  const claims: Claim[] = [];
  const facts: Record<string, readonly Run[]> = {};
  for (const topicCount of numbers(chosen.topics)) {
    const runs = new Map<System, Run[]>(systems.map((system) => [system, []]));
    for (let i = 0; i < chosen.runs; i++) {
      for (const [system, done] of runs) {
        say(`${system.name}, ${topicCount} topics, run ${i + 1} of ${chosen.runs}`);
        done.push(await measure(system, topicCount, chosen));
      }
    }
    const of = (system: System, pick: (run: Run) => number) =>
      median((runs.get(system) as readonly Run[]).map(pick));
    const lost = (system: System) =>
      (runs.get(system) as readonly Run[]).reduce((sum, run) => sum + run.trial.lost, 0);
    for (const system of systems) {
      facts[`${system.name}, ${topicCount}`] = runs.get(system) as readonly Run[];
      rows.push([
        system.name,
        topicCount,
        of(system, (run) => run.trial.received.latency.p50Ms),
        of(system, (run) => run.trial.received.latency.p99Ms),
        of(system, (run) => run.trial.received.latency.maxMs),
        lost(system),
        Math.round(of(system, (run) => run.most)),
        percentText(of(system, (run) => run.trial.cpu)),
        percentText(of(system, (run) => run.trial.received.cpu)),
      ]);
      if (!system.hasRedis) continue;
      const cost = (pick: (costs: RedisCosts) => number) =>
        of(system, (run) => pick(run.redis as RedisCosts));
      redisRows.push([
        system.name,
        topicCount,
        cost(({ sent }) => sent),
        cost(({ commands }) => commands),
        cost(({ bytesIn }) => bytesIn),
        cost(({ bytesOut }) => bytesOut),
        cost(({ microseconds }) => microseconds),
        of(system, (run) => run.listenerUs),
      ]);
    }
    const p99 = (system: System) => of(system, (run) => run.trial.received.latency.p99Ms);
    claims.push(
      claim(`${topicCount} topics: nothing is lost, repeated or out of place`, lost(two) === 0, lost(two)),
      atMost(`${topicCount} topics: p99 across nodes to socket.io's`, p99(two) / p99(other), p99Limit, 'x'),
    );
  }
  const title = `${chosen.connections} connections, ${chosen.rate} publications per second of ${chosen.bytes} bytes`;
  return {
    tables: [
      { title, columns, rows },
      { title: 'Redis, for each publication', columns: redisColumns, rows: redisRows },
    ],
    claims,
    facts,
  };
});

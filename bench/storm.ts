import { cpuSeconds, quiet } from './support/proc.ts';
import { median, percentText } from './support/report.ts';
import { inTurn } from './support/runs.ts';
import { atLeast, claim, type OptionsOf, scenario, usual } from './support/scenario.ts';
import { rawEach, type Subject, sluice, startSubject } from './trials/subject.ts';
import { startReceivers, topicNames, withWorkers } from './trials/trial.ts';

const options = {
  connections: {
    default: 2000,
    sentence: 'Connections that are opened at once, each with one subscription.',
  },
  inFlight: { default: 200, sentence: 'Handshakes under way at a time.' },
  rounds: {
    default: 3,
    sentence: 'Times that they are opened and closed in a run, after those that do not count.',
  },
  warmUps: {
    default: 3,
    sentence: 'Times before that: the storm meets a gateway that has been running for a while.',
  },
  runs: usual.runs,
} as const;
type Options = OptionsOf<typeof options>;

interface Kind {
  readonly name: string;
  readonly subject: Subject;
  /** Where the token is. */
  readonly tokenIn?: 'connect' | 'url';
  /** Clients return with the same tokens; otherwise with new ones each time. */
  readonly again?: boolean;
}

const raw: Kind = { name: 'raw uWS', subject: rawEach };
/** As the SDK does it. */
const own: Kind = { name: 'sluice, token in connect', subject: sluice('protobuf'), tokenIn: 'connect' };
const kinds: readonly Kind[] = [
  raw,
  own,
  { name: 'sluice, the same token again', subject: sluice('protobuf'), tokenIn: 'connect', again: true },
  { name: 'sluice, token in the address', subject: sluice('protobuf'), tokenIn: 'url' },
  { name: 'sluice, no token', subject: sluice('protobuf') },
];

const limit = 0.6;
const secret = 'a secret for this benchmark alone, 32 bytes and more';

interface Storm {
  /** As seen from outside, where the load may be the limit. */
  readonly perSecond: number;
  /** Connections per CPU second of the server. */
  readonly perCoreSecond: number;
  readonly loadCpu: number;
  /** From the begin of a connection to the answer to its subscription. */
  readonly readyP50Ms: number;
  readonly readyP99Ms: number;
  /** Connections that did not get their subscription. */
  readonly failed: number;
}

function measure(kind: Kind, { connections, inFlight, rounds, warmUps }: Options): Promise<Storm> {
  const { subject, tokenIn, again } = kind;
  return withWorkers(async (keep) => {
    const flags = tokenIn === undefined ? {} : { tokenSecret: secret };
    const { worker, port } = await startSubject(subject, { topics: 1, flags });
    keep(worker);
    const receivers = keep(startReceivers());
    const opening = { port, dialect: subject.dialect, messageBytes: 200, topics: topicNames(1) };
    const nowSeconds = Math.floor(Date.now() / 1000);
    const seen: Storm[] = [];
    for (let round = 0; round < warmUps + rounds; round++) {
      const issuedAtSeconds = again === true ? nowSeconds : nowSeconds + round;
      const tokens = tokenIn === undefined ? undefined : { secret, in: tokenIn, issuedAtSeconds };
      await quiet(worker.pid);
      const before = cpuSeconds(worker.pid);
      const opened = await receivers.call('open', {
        ...opening,
        tokens,
        connections,
        inFlight,
        mayFail: true,
      });
      const { seconds, cpu: loadCpu, failed, ready } = opened;
      const taken = cpuSeconds(worker.pid) - before;
      if (round >= warmUps)
        seen.push({
          perSecond: connections / seconds,
          perCoreSecond: connections / taken,
          loadCpu,
          readyP50Ms: ready.p50Ms,
          readyP99Ms: ready.p99Ms,
          failed,
        });
      await receivers.call('close');
    }
    return medianOf(seen);
  });
}

function medianOf(seen: readonly Storm[]): Storm {
  const of = (pick: (storm: Storm) => number) => median(seen.map(pick));
  return {
    perSecond: of((storm) => storm.perSecond),
    perCoreSecond: of((storm) => storm.perCoreSecond),
    loadCpu: of((storm) => storm.loadCpu),
    readyP50Ms: of((storm) => storm.readyP50Ms),
    readyP99Ms: of((storm) => storm.readyP99Ms),
    // Every run counts, not the median.
    failed: seen.reduce((sum, storm) => sum + storm.failed, 0),
  };
}

export default scenario(options, async (chosen, say) => {
  const runs = await inTurn(kinds, chosen.runs, say, (kind) => measure(kind, chosen));
  const perSecond = (storm: Storm) => storm.perSecond;
  const perCoreSecond = (storm: Storm) => storm.perCoreSecond;
  const rows = kinds.map((kind) => [
    kind.name,
    Math.round(runs.of(kind, perSecond)),
    runs.ratio(kind, raw, perSecond),
    Math.round(runs.of(kind, perCoreSecond)),
    runs.ratio(kind, raw, perCoreSecond),
    runs.of(kind, ({ readyP50Ms }) => readyP50Ms),
    runs.of(kind, ({ readyP99Ms }) => readyP99Ms),
    percentText(runs.of(kind, ({ loadCpu }) => loadCpu)),
    runs.sum(({ failed }) => failed, kind),
  ]);
  const failed = runs.sum((storm) => storm.failed);
  const ratio = runs.ratio(own, raw, perSecond);
  const coreRatio = runs.ratio(own, raw, perCoreSecond);
  const perCore = '… per second of its core';
  const columns = ['', 'connections/s', 'x raw', perCore, 'x raw', 'p50 ms', 'p99 ms', 'load CPU', 'failed'];
  return {
    tables: [{ title: `${chosen.connections} connections at once, one subscription each`, columns, rows }],
    claims: [
      claim('every connection gets its subscription', failed === 0, `${failed} did not`),
      atLeast('connections + subscribe per second, with a token, to raw uWS', ratio, limit, 'x'),
      atLeast('… per second of the server’s core', coreRatio, limit, 'x'),
    ],
    ratios: [
      { name: 'connections/s to raw', value: ratio, better: 'higher' },
      { name: 'connections per second of the core to raw', value: coreRatio, better: 'higher' },
    ],
    facts: { runs: runs.facts },
  };
});

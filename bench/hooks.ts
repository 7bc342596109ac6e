import type { ReceiversCalls } from './load/receivers.ts';
import type { PeerOptions } from './peers/peer.ts';
import { cpuSeconds, quiet } from './support/proc.ts';
import { median, percentText } from './support/report.ts';
import { atMost, claim, type OptionsOf, scenario, usual } from './support/scenario.ts';
import type { Worker } from './support/worker.ts';
import { publishFrom } from './trials/publish-from.ts';
import { type StartedSubject, sluice, startSubject } from './trials/subject.ts';
import { startReceivers, topicNames, withWorkers } from './trials/trial.ts';

const options = {
  rate: { default: 8000, sentence: 'Publications per second, by a client over WebSocket.' },
  bytes: usual.bytes,
  seconds: { default: 1, sentence: 'Measured time of each window.' },
  connections: {
    default: 2000,
    sentence: 'Connections that are opened after each window, to one topic each.',
  },
  windows: { default: 4, sentence: 'Windows of each gateway of a run, in turn.' },
  warmUp: { default: 2, sentence: 'Windows before, of each gateway.' },
  runs: {
    default: 3,
    sentence: 'Times that all gateways are started: V8 does not compile two of them alike.',
  },
} as const;
type Options = OptionsOf<typeof options>;

interface Kind {
  readonly name: string;
  readonly hooks: NonNullable<PeerOptions['hooks']>;
}

const without: Kind = { name: 'code without hooks', hooks: 'cut' };
/** What two alike differ by. */
const again: Kind = { name: 'the same again', hooks: 'cut' };
const off: Kind = { name: 'hooks off', hooks: 'off' };
const on: Kind = { name: 'hooks on, functions of the process', hooks: 'on' };
const kinds = [without, off, again, on];

/** A smaller difference is not measurable, and neither is one that two gateways alike have. */
const measurable = 0.03;
/** Two alike that differ by more show that the machine is too busy. */
const noiseMax = 0.1;

/** Microseconds of CPU. */
interface Window {
  readonly publish: number;
  readonly connection: number;
  /** Publications and connections that were refused. */
  readonly failed: number;
}

type Windows = ReadonlyMap<Kind, Window>;

/** One window of each. All gateways run at the same time, and one of them has work. */
async function measureAll(
  chosen: Options,
  say: (line: string) => void,
  run: number,
): Promise<readonly Windows[]> {
  return withWorkers(async (keep) => {
    const receivers = keep(startReceivers());
    const gateways = new Map<Kind, () => Promise<Window>>();
    for (const kind of kinds) {
      const started = await startSubject(sluice('protobuf'), { topics: 1, hooks: kind.hooks });
      const loaded = { ...started, receivers };
      keep(started.worker);
      const publish = await publishFrom('ws', sluice('protobuf'), loaded, keep);
      gateways.set(kind, () => window(loaded, publish, chosen));
    }
    const all: Windows[] = [];
    for (let i = -chosen.warmUp; i < chosen.windows; i++) {
      say(`run ${run + 1} of ${chosen.runs}, ${i < 0 ? 'warm-up' : `window ${i + 1} of ${chosen.windows}`}`);
      const seen = new Map<Kind, Window>();
      // None is always the first.
      const turn = [...kinds.slice((i + kinds.length) % kinds.length), ...kinds].slice(0, kinds.length);
      for (const kind of turn) seen.set(kind, await gateways.get(kind)!());
      if (i >= 0) all.push(seen);
    }
    return all;
  });
}

type Loaded = StartedSubject & { readonly receivers: Worker<ReceiversCalls> };

async function window(
  { worker, port, receivers }: Loaded,
  publish: Awaited<ReturnType<typeof publishFrom>>,
  { rate, seconds, bytes, connections }: Options,
): Promise<Window> {
  const topics = topicNames(1);
  const spent = await cpuMeasure(worker.pid);
  const { sent, failed } = await publish({ topics, rate, seconds, bytes });
  const publishing = spent();
  const taken = await cpuMeasure(worker.pid);
  const opened = await receivers.call('open', {
    port,
    dialect: 'protobuf',
    messageBytes: bytes,
    topics,
    connections,
    mayFail: true,
  });
  const connecting = taken();
  await receivers.call('close');
  return {
    publish: (publishing / sent) * 1e6,
    connection: (connecting / connections) * 1e6,
    failed: failed + opened.failed,
  };
}

async function cpuMeasure(pid: number): Promise<() => number> {
  await quiet(pid);
  const before = cpuSeconds(pid);
  return () => cpuSeconds(pid) - before;
}

export default scenario(options, async (chosen, say) => {
  const seen: Windows[] = [];
  for (let run = 0; run < chosen.runs; run++) seen.push(...(await measureAll(chosen, say, run)));
  const of = (kind: Kind, what: 'publish' | 'connection') =>
    median(seen.map((windows) => windows.get(kind)![what]));
  const base = (windows: Windows, what: 'publish' | 'connection') =>
    (windows.get(without)![what] + windows.get(again)![what]) / 2;
  const ratio = (kind: Kind, what: 'publish' | 'connection') =>
    median(seen.map((windows) => windows.get(kind)![what] / base(windows, what)));
  const failed = seen.flatMap((windows) => [...windows.values()]).reduce((sum, each) => sum + each.failed, 0);
  const whats = ['publish', 'connection'] as const;
  const apart = (what: 'publish' | 'connection') => Math.abs(ratio(again, what) - ratio(without, what));
  const noisy = whats.filter((what) => apart(what) > noiseMax);
  const judged = whats.filter((what) => !noisy.includes(what));
  return {
    tables: [
      {
        title: `${chosen.rate} publishes/s over WebSocket; ${chosen.connections} connections with a subscription`,
        columns: ['', 'CPU us of a publish', 'x without', 'CPU us of a connection', 'x without'],
        rows: [without, again, off, on].map((kind) => [
          kind.name,
          ...whats.flatMap((what) => [of(kind, what), ratio(kind, what)]),
        ]),
      },
    ],
    claims: [
      claim('every publish and connection succeeds', failed === 0, failed),
      ...judged.map((what) =>
        atMost(
          `CPU of a ${what} with hooks off to the code without`,
          ratio(off, what),
          1 + Math.max(measurable, apart(what)),
          'x',
        ),
      ),
    ],
    unjudged: noisy.map(
      (what) => `CPU of a ${what}: two gateways alike differ by ${percentText(apart(what))}`,
    ),
    ratios: whats.map((what) => ({
      name: `CPU of a ${what}, hooks off to the code without`,
      value: ratio(off, what),
      better: 'lower' as const,
    })),
    facts: {
      windows: seen.map((windows) => Object.fromEntries([...windows].map(([kind, w]) => [kind.name, w]))),
    },
  };
});

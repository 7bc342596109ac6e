import { setTimeout } from 'node:timers/promises';
import { cpuMeter } from './support/proc.ts';
import { percentText } from './support/report.ts';
import { inTurn } from './support/runs.ts';
import { claim, type OptionsOf, scenario } from './support/scenario.ts';
import { rawEach, type Subject, sluice, startSubject } from './trials/subject.ts';
import { startReceivers, topicNames, withWorkers } from './trials/trial.ts';

const options = {
  connections: { default: 10_000, sentence: 'Connections, with a subscription each, that hear nothing.' },
  seconds: { default: 60, sentence: 'Measured time: each silent connection is pinged once in about 50 s.' },
  runs: { default: 1, sentence: 'Runs of each row; the table has their medians.' },
} as const;
type Options = OptionsOf<typeof options>;

interface Kind {
  readonly name: string;
  readonly subject: Subject;
  /** Clients that send heartbeats; others only reply to pings. */
  readonly beatMs?: number;
  /** Each has a token, and so a topic of its own user. */
  readonly tokens?: true;
}

const sdkBeatMs = 30_000;
const kinds: readonly Kind[] = [
  { name: 'raw uWS, silent clients', subject: rawEach },
  { name: 'sluice, silent clients', subject: sluice('protobuf') },
  { name: 'sluice, the SDK’s clients', subject: sluice('protobuf'), beatMs: sdkBeatMs },
  { name: 'sluice, silent users', subject: sluice('protobuf'), tokens: true },
];
const secret = 'a secret for this benchmark alone, 32 bytes and more';

const baseSeconds = 10;

interface Seen {
  /** Shares of a core, without connections and with them. */
  readonly base: number;
  readonly cpu: number;
  readonly closed: number;
}

function measure({ subject, beatMs, tokens }: Kind, { connections, seconds }: Options): Promise<Seen> {
  return withWorkers(async (keep) => {
    const flags = tokens === undefined ? {} : { tokenSecret: secret };
    const { worker, port } = await startSubject(subject, { topics: 1, flags });
    keep(worker);
    const receivers = keep(startReceivers());
    const cpuFor = async (period: number): Promise<number> => {
      const cpu = cpuMeter(worker.pid);
      await setTimeout(period * 1000);
      return cpu();
    };
    const base = await cpuFor(Math.min(baseSeconds, seconds));
    const opening = { port, dialect: subject.dialect, messageBytes: 200, topics: topicNames(1) };
    const issuedAtSeconds = Math.floor(Date.now() / 1000);
    await receivers.call('open', {
      ...opening,
      connections,
      tokens: tokens && { secret, in: 'connect', issuedAtSeconds },
    });
    if (beatMs !== undefined) await receivers.call('beat', { everyMs: beatMs });
    const cpu = await cpuFor(seconds);
    const { closed } = await receivers.call('read');
    return { base, cpu, closed };
  });
}

export default scenario(options, async (chosen, say) => {
  const runs = await inTurn(kinds, chosen.runs, say, (kind) => measure(kind, chosen));
  const closed = runs.sum((seen) => seen.closed);
  return {
    tables: [
      {
        title: `${chosen.connections} connections that hear nothing, for ${chosen.seconds} s`,
        columns: ['', 'CPU without them', 'with them', 'more'],
        rows: kinds.map((kind) => [
          kind.name,
          percentText(runs.of(kind, ({ base }) => base)),
          percentText(runs.of(kind, ({ cpu }) => cpu)),
          percentText(runs.of(kind, ({ cpu, base }) => cpu - base)),
        ]),
      },
    ],
    claims: [claim('all connections stay', closed === 0, `${closed} lost`)],
    facts: { runs: runs.facts },
  };
});

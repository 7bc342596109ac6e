import { median } from './support/report.ts';
import { inTurn } from './support/runs.ts';
import { atMost, numbers, type OptionsOf, type Ratio, scenario, usual } from './support/scenario.ts';
import { rawEach, type Subject, sluice, startSubject } from './trials/subject.ts';
import { startReceivers, topicNames, withWorkers } from './trials/trial.ts';

const options = {
  connections: { default: 8000, sentence: 'Idle connections.' },
  topics: { default: '0,1,10,100', sentence: 'Subscriptions of each.' },
  stored: { default: 200_000, sentence: 'Publications to store; 0: look at connections only.' },
  runs: usual.runs,
} as const;
type Options = OptionsOf<typeof options>;

/** Opened first and kept, so that code is compiled and maps have grown. */
const warmUpConnections = 500;
/**
 * Limits the young generation, which the garbage of handshakes would grow to 48 MB; that is not memory of connections.
 */
const nodeArgs = ['--max-semi-space-size=1'];
const targetBytes = 2500;
const claimName = 'an idle connection with one subscription: bytes more than with raw uWS';

/** Memory of one more connection, once the heap has grown. */
function bytesPerConnection(subject: Subject, count: number, connections: number): Promise<number> {
  return withWorkers(async (keep) => {
    const { worker, port } = await startSubject(subject, { topics: count }, nodeArgs);
    keep(worker);
    const receivers = keep(startReceivers());
    const { dialect } = subject;
    const opening = { port, dialect, messageBytes: 200, topics: topicNames(count) };
    await receivers.call('open', { ...opening, connections: warmUpConnections });
    const before = await worker.call('rssBytes');
    await receivers.call('open', { ...opening, connections });
    return ((await worker.call('rssBytes')) - before) / connections;
  });
}

const payloadBytes = 200;
const publicationsPerTopic = 1000;
const storeRate = 25_000;

/** Memory of a publication in a ring, in a gateway without connections. */
function bytesPerStored(count: number): Promise<number> {
  return withWorkers(async (keep) => {
    const flags = {
      historyMaxBytes: '4GiB',
      topicHistoryMaxBytes: '16MiB',
      topicHistoryMaxPublications: publicationsPerTopic,
    };
    const { worker } = await startSubject(sluice('protobuf'), { topics: 0, flags }, nodeArgs);
    keep(worker);
    const topics = topicNames(Math.max(1, Math.ceil(count / publicationsPerTopic)));
    const publish = async (each: number) => {
      const job = { topics, rate: storeRate, seconds: each / storeRate, bytes: payloadBytes };
      const { failed } = await worker.call('publish', job);
      if (failed > 0) throw new Error(`${failed} publications were refused`);
    };
    // Without the memory of the topics themselves.
    const warmUp = Math.ceil(count / 10);
    await publish(warmUp);
    const before = await worker.call('rssBytes');
    await publish(count - warmUp);
    return ((await worker.call('rssBytes')) - before) / (count - warmUp);
  });
}

const kinds = [
  { name: 'raw', subject: rawEach },
  { name: 'sluice', subject: sluice('protobuf') },
] as const;

async function connectionRows({ connections, topics, runs }: Options, say: (line: string) => void) {
  const rows: { topics: number; raw: number; sluice: number }[] = [];
  for (const count of numbers(topics)) {
    const seen = await inTurn(
      kinds,
      runs,
      (line) => say(`${count} topics, ${line}`),
      ({ subject }) => bytesPerConnection(subject, count, connections),
    );
    const [raw, own] = kinds.map((kind) => seen.of(kind, (bytes) => bytes)) as [number, number];
    rows.push({ topics: count, raw, sluice: own });
  }
  return rows;
}

async function storedBytes({ stored, runs }: Options, say: (line: string) => void): Promise<number> {
  const seen: number[] = [];
  for (let i = 0; i < runs; i++) {
    say(`${stored} publications, run ${i + 1} of ${runs}`);
    seen.push(await bytesPerStored(stored));
  }
  return median(seen);
}

export default scenario(options, async (chosen, say) => {
  const rows = await connectionRows(chosen, say);
  const stored = chosen.stored > 0 ? await storedBytes(chosen, say) : undefined;
  const one = rows.find(({ topics }) => topics === 1);
  const ratios: Ratio[] = rows.map(({ topics, raw, sluice: own }) => ({
    name: `bytes of a connection with ${topics} topics to raw uWS`,
    value: own / raw,
    better: 'lower',
  }));
  return {
    tables: [
      {
        title: `bytes per idle connection, of ${chosen.connections}`,
        columns: ['topics', 'raw uWS', 'sluice', 'more', 'ratio'],
        rows: rows.map(({ topics, raw, sluice: own }) => [
          topics,
          Math.round(raw),
          Math.round(own),
          Math.round(own - raw),
          own / raw,
        ]),
      },
      ...(stored === undefined
        ? []
        : [
            {
              title: `bytes per stored publication, of ${chosen.stored}`,
              columns: ['payload', 'stored', 'ratio'],
              rows: [[payloadBytes, Math.round(stored), stored / payloadBytes]],
            },
          ]),
    ],
    claims: one === undefined ? [] : [atMost(claimName, one.sluice - one.raw, targetBytes, 'bytes')],
    ratios,
  };
});

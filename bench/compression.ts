import { SluiceClient } from '../src/client/client.ts';
import { LightSocket } from './support/light-socket.ts';
import { cpuSeconds } from './support/proc.ts';
import { percentText } from './support/report.ts';
import { inTurn } from './support/runs.ts';
import { atMost, claim, type OptionsOf, scenario, usual } from './support/scenario.ts';
import { readTrace, type TracedFields } from './support/trace.ts';
import { startSluice } from './trials/subject.ts';
import { startReceivers, withWorkers } from './trials/trial.ts';

const options = {
  connections: { default: 1000, sentence: 'Subscribers of the topic.' },
  everyMs: { default: 10, sentence: 'Between two batches.' },
  runs: usual.runs,
} as const;
type Options = OptionsOf<typeof options>;

interface Kind {
  readonly name: string;
  readonly together: number;
  readonly compress: boolean;
  /** Bytes on the wire, relative to the bytes of the payloads. */
  readonly limit?: number;
}

const kinds: readonly Kind[] = [
  { name: 'one at a time, plain', together: 1, compress: false },
  { name: 'one at a time', together: 1, compress: true, limit: 0.32 },
  { name: 'ten per batch, plain', together: 10, compress: false },
  { name: 'ten per batch', together: 10, compress: true, limit: 0.22 },
];

const topic = 'server:web-01';
const settleMs = 5000;

/** The first part of the publications lets the gateway build its dictionary. */
const recorded = readTrace();
const learned = recorded.slice(0, recorded.length / 2);
/** Of the rest, only publications with new content: no dictionary can contain it. */
const measured = unheard(recorded, learned.length);
const trace = [...learned, ...measured];
const payloadBytes = measured.reduce((sum, { payload }) => sum + payload.bytes.length, 0) / measured.length;

function unheard(fields: readonly TracedFields[], from: number): readonly TracedFields[] {
  const heard = new Set<string>();
  return fields.filter(({ payload }, i) => {
    const text = Buffer.from(payload.bytes).toString();
    const isNew = !heard.has(text);
    heard.add(text);
    return isNew && i >= from;
  });
}

interface Seen {
  readonly bytes: number;
  /** Dictionaries and other frames that are not batches, per delivery. */
  readonly otherBytes: number;
  readonly cpuUs: number;
  /** Publications that a client on the SDK did not get as they were recorded. */
  readonly wrong: number;
}

function measure({ together, compress }: Kind, { connections, everyMs }: Options): Promise<Seen> {
  return withWorkers(async (keep) => {
    const { worker, port } = await startSluice(compress ? {} : { compressMinBytes: 0 });
    keep(worker);
    const receivers = keep(startReceivers());
    const opening = { port, dialect: 'protobuf', messageBytes: 0, topics: [topic] } as const;
    await receivers.call('open', { ...opening, connections });
    const witness = keep(new Witness(port));
    await witness.connected();
    const replay = (part: readonly TracedFields[]) =>
      worker.call('replay', { topic, trace: part, together, everyMs });
    const settle = (publications: number) =>
      receivers.call('settle', { publications: publications * connections, withinMs: settleMs });
    await receivers.call('mark');
    await replay(learned);
    await settle(learned.length);
    await receivers.call('mark');
    const before = cpuSeconds(worker.pid);
    await replay(measured);
    await settle(measured.length);
    const cpuUs = ((cpuSeconds(worker.pid) - before) / measured.length) * 1e6;
    const { bytes, otherBytes, publications } = await receivers.call('read');
    const wrong = await witness.wrong(trace, settleMs);
    return { bytes: bytes / publications, otherBytes: otherBytes / publications, cpuUs, wrong };
  });
}

/** One client of the real SDK that keeps what it gets. */
class Witness {
  readonly #heard: string[] = [];
  readonly #client: SluiceClient;

  constructor(port: number) {
    this.#client = new SluiceClient(`ws://127.0.0.1:${port}/ws`, { WebSocket: LightSocket });
    this.#client.subscribe(topic, {}, ({ data }) => this.#heard.push(JSON.stringify(data)));
  }

  connected(): Promise<unknown> {
    return this.#client.connect();
  }

  async wrong(published: readonly TracedFields[], withinMs: number): Promise<number> {
    const untilMs = performance.now() + withinMs;
    while (this.#heard.length < published.length && performance.now() < untilMs)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const isWrong = ({ payload }: TracedFields, i: number) =>
      this.#heard[i] !== Buffer.from(payload.bytes).toString();
    return published.filter(isWrong).length + Math.max(0, this.#heard.length - published.length);
  }

  end(): void {
    this.#client.close();
  }
}

export default scenario(options, async (chosen, say) => {
  const runs = await inTurn(kinds, chosen.runs, say, (kind) => measure(kind, chosen));
  const share = (kind: Kind) => runs.of(kind, ({ bytes }) => bytes) / payloadBytes;
  const wrong = runs.sum((seen) => seen.wrong);
  const cpuUs = (kind: Kind) => runs.of(kind, (seen) => seen.cpuUs);
  const rows = kinds.map((kind) => [
    kind.name,
    runs.of(kind, ({ bytes }) => bytes),
    percentText(share(kind)),
    runs.of(kind, ({ otherBytes }) => otherBytes),
    cpuUs(kind),
    cpuUs(kind) - cpuUs(plainOf(kind)),
  ]);
  const columns = ['', 'bytes/delivery', 'of payload', '… no batches', 'CPU us/publication', '… over plain'];
  const title = `${measured.length} publications of a recorded trace, ${payloadBytes.toFixed(0)} bytes each, to ${chosen.connections} connections`;
  const nameOf = ({ name }: Kind) => `bytes on the wire to raw payload, ${name}`;
  return {
    tables: [{ title, columns, rows }],
    claims: [
      claim('a client on the SDK gets all of them as they were', wrong === 0, wrong),
      ...kinds.flatMap((kind) =>
        kind.limit === undefined ? [] : [atMost(nameOf(kind), share(kind) * 100, kind.limit * 100, '%')],
      ),
    ],
    ratios: kinds.map((kind) => ({ name: nameOf(kind), value: share(kind), better: 'lower' })),
    facts: { runs: runs.facts },
  };
});

function plainOf({ together }: Kind): Kind {
  return kinds.find((kind) => kind.together === together && !kind.compress)!;
}

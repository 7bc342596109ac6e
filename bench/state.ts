import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { startFaultyRedis } from './faults/redis.ts';
import { PollClient, type StateClient, StreamClient, WebSocketClient } from './state/clients.ts';
import { judge } from './state/judge.ts';
import { longestTtlMs, namespaces, topics, type Wish, wishes } from './state/plan.ts';
import { SdkClient } from './state/sdk-client.ts';
import { Writer } from './state/writer.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { pace } from './support/pacer.ts';
import { seededRandom } from './support/payload.ts';
import { type Claim, claim, type OptionsOf, scenario } from './support/scenario.ts';

const options = {
  clients: { default: 140, sentence: 'Clients, of all transports in turn.' },
  rate: { default: 400, sentence: 'Keys set or removed per second.' },
  rounds: { default: 3, sentence: 'Storms, each followed by a calm in which all is compared.' },
  seconds: { default: 6, sentence: 'Length of a storm.' },
  cuts: { default: 30, sentence: 'Connections that are cut per second of a storm.' },
  stalled: { default: 10, sentence: 'Clients that don’t read at any time of a storm.' },
  kills: {
    default: 1,
    sentence: 'Times in each storm that a gateway is killed and started again (not with memory).',
  },
  engine: { default: 'lmdb', sentence: 'Engine of the gateway.', choices: ['lmdb', 'memory', 'redis'] },
  nodes: {
    default: 1,
    sentence: 'Gateways; more than one need the engine redis. Clients take turns with them.',
  },
  history: { default: 30, sentence: 'Publications that a topic keeps: who lacks more gets a snapshot.' },
  seed: { default: 1, sentence: 'Seed of keys, values, cuts and stalls.' },
} as const;
type Options = OptionsOf<typeof options>;

const downMs = 300;
const stallMs = { shortest: 300, longest: 2500 };
/** All clients are up to date within this time after the last change, or they never are. */
const patienceMs = 45_000;
const shownProblems = 20;

/** In turn, with each of the wishes. */
const kinds: readonly ((index: number, ports: readonly number[]) => StateClient)[] = [
  (i, ports) => new WebSocketClient(wishesOf(i), ports, i),
  (i, ports) => new StreamClient(wishesOf(i), ports, i),
  (i, ports) => new PollClient(wishesOf(i), ports, i),
  (i, ports) => new SdkClient(wishesOf(i), ports, i, ['websocket']),
  (i, ports) => new SdkClient(wishesOf(i), ports, i, ['sse']),
  (i, ports) => new SdkClient(wishesOf(i), ports, i, ['poll']),
  (i, ports) => new SdkClient(wishesOf(i), ports, i, ['websocket', 'sse', 'poll']),
];

function wishesOf(index: number): readonly Wish[] {
  return wishes[Math.floor(index / kinds.length) % wishes.length] ?? [];
}

function flagsOf({ engine, history }: Options, folder: string): string[] {
  const file = join(folder, 'sluice.json');
  writeFileSync(file, JSON.stringify({ namespaces }));
  return [
    ...[`--config=${file}`, `--engine=${engine}`, `--topic-history-max-publications=${history}`],
    ...(engine === 'lmdb' ? [`--data-dir=${join(folder, 'data')}`] : []),
    ...['--message-ids-max-bytes-per-client=160MiB', '--http-requests-per-second-per-ip=100000'],
  ];
}

/** What befalls the clients of a storm. */
class Storm {
  cuts = 0;
  stalls = 0;
  readonly #clients: readonly StateClient[];
  readonly #random: () => number;
  readonly #untilMs: number;

  constructor(clients: readonly StateClient[], random: () => number, seconds: number) {
    this.#clients = clients;
    this.#random = random;
    this.#untilMs = performance.now() + seconds * 1000;
  }

  async rage({ cuts, seconds, stalled }: Options): Promise<void> {
    const stalling = Array.from({ length: stalled }, () => this.#stall());
    const cutting = pace(cuts, seconds, () => {
      this.cuts++;
      this.#pick().cut();
    });
    await Promise.all([cutting, ...stalling]);
  }

  async #stall(): Promise<void> {
    while (performance.now() < this.#untilMs) {
      const client = this.#pick();
      this.stalls++;
      client.pause();
      await setTimeout(stallMs.shortest + this.#random() * (stallMs.longest - stallMs.shortest));
      client.resume();
    }
  }

  #pick(): StateClient {
    return this.#clients[Math.floor(this.#random() * this.#clients.length)] as StateClient;
  }
}

interface Seen {
  readonly writer: Writer;
  readonly gateways: string[];
  readonly clients: string[];
  readonly problems: string[];
  cuts: number;
  stalls: number;
  kills: number;
  values: number;
  slowestCalmMs: number;
}

async function run(chosen: Options, folder: string, say: (line: string) => void): Promise<Seen> {
  const random = seededRandom(chosen.seed);
  const redis = chosen.engine === 'redis' ? await startFaultyRedis('none') : undefined;
  const flags = [...flagsOf(chosen, folder), ...(redis?.flags ?? [])];
  const gateways: Gateway[] = [];
  for (let i = 0; i < chosen.nodes; i++) gateways.push(await startGateway(flags));
  const ports = gateways.map(({ port }) => port);
  const writer = new Writer(ports, random);
  const clients = Array.from({ length: chosen.clients }, (_, i) =>
    (kinds[i % kinds.length] as (typeof kinds)[0])(i, ports),
  );
  const seen: Seen = {
    writer,
    gateways: [],
    clients: [],
    problems: [],
    cuts: 0,
    stalls: 0,
    kills: 0,
    values: 0,
    slowestCalmMs: 0,
  };
  try {
    for (let round = 1; round <= chosen.rounds; round++) {
      const storm = new Storm(clients, random, chosen.seconds);
      const raging = storm.rage(chosen);
      const writing = writer.write(chosen.rate, chosen.seconds);
      for (let i = 0; i < chosen.kills && chosen.engine !== 'memory'; i++) {
        await setTimeout((chosen.seconds * 1000) / (chosen.kills + 1));
        const node = seen.kills++ % gateways.length;
        const gateway = gateways[node] as Gateway;
        await gateway.kill();
        await setTimeout(downMs);
        gateways[node] = await startGateway(flags, gateway.port);
      }
      await Promise.all([raging, writing]);
      seen.cuts += storm.cuts;
      seen.stalls += storm.stalls;
      const calmMs = performance.now();
      await setTimeout(longestTtlMs);
      let verdict = await judge(writer, ports, clients);
      while (verdict.gateways.length + verdict.clients.length > 0) {
        if (performance.now() - calmMs > patienceMs) break;
        await setTimeout(200);
        verdict = await judge(writer, ports, clients);
      }
      seen.slowestCalmMs = Math.max(seen.slowestCalmMs, performance.now() - calmMs);
      seen.gateways.push(...verdict.gateways);
      seen.clients.push(...verdict.clients);
      for (const topic of topics) seen.values += writer.expected(topic).size;
      say(
        `round ${round}: ${writer.acknowledged} acknowledged, ${verdict.gateways.length + verdict.clients.length} differ`,
      );
    }
    for (const client of clients)
      for (const { problems } of client.shown)
        seen.problems.push(...problems.map((problem) => `${client.kind}: ${problem}`));
    return seen;
  } finally {
    for (const client of clients) client.close();
    writer.close();
    await Promise.all(gateways.map((gateway) => gateway.end()));
    await redis?.remove();
  }
}

function claims({ writer, gateways, clients, problems, values, cuts }: Seen): Claim[] {
  const none = (name: string, found: readonly unknown[]): Claim =>
    claim(name, found.length === 0, found.length);
  return [
    none('publishes that were refused or never answered', writer.refused),
    none('values of the gateways that differ from what was acknowledged', gateways),
    none('values of clients that differ from it', clients),
    none('frames that did not follow from those before', problems),
    claim('there were values to compare', values > 0, values),
    claim('connections were cut', cuts > 0, cuts),
  ];
}

export default scenario(options, async (chosen, say) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-state-'));
  try {
    const seen = await run(chosen, folder, say);
    const { writer, gateways, clients, problems } = seen;
    for (const problem of [...writer.refused, ...gateways, ...clients, ...problems].slice(0, shownProblems))
      say(problem);
    const rows: [string, number][] = [
      ['set or removed (acknowledged)', writer.acknowledged],
      ['… tries that failed', writer.retries],
      ['values at the end of the storms', seen.values],
      ['connections cut', seen.cuts],
      ['stalls', seen.stalls],
      ['kills', seen.kills],
      ['longest calm until all were level, ms', Math.round(seen.slowestCalmMs)],
    ];
    const title = `seed ${chosen.seed}: ${chosen.clients} clients, ${chosen.nodes} x ${chosen.engine}, ${chosen.rate}/s, ${chosen.rounds} x ${chosen.seconds} s`;
    return { tables: [{ title, columns: ['', 'count'], rows }], claims: claims(seen) };
  } finally {
    rmSync(folder, { recursive: true });
  }
});

import { setTimeout } from 'node:timers/promises';
import { deliveryClaims } from './faults/accounted.ts';
import { type KilledWorker, killWorker } from './faults/killed-worker.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { HttpPool } from './support/http-pool.ts';
import { childrenOf, cpuSeconds, socketsOf } from './support/proc.ts';
import { opcodes, RawClient } from './support/raw-client.ts';
import { median, percentText } from './support/report.ts';
import { inTurn } from './support/runs.ts';
import { atMost, type Claim, claim, type OptionsOf, scenario, usual } from './support/scenario.ts';

const options = {
  connections: { default: 1000, sentence: 'Subscribers of the one topic.' },
  rate: { default: 50, sentence: 'Publications per second.' },
  bytes: usual.bytes,
  warmUp: { default: 20_000, sentence: 'Publications before, one after the other, to a few subscribers.' },
  seconds: { default: 3, sentence: 'Measured time of each window.' },
  runs: { default: 5, sentence: 'Windows of each gateway, in turn.' },
  kill: {
    default: true,
    sentence: 'Also kills one of two workers under clients of the SDK (--no-kill: not).',
  },
} as const;
type Options = OptionsOf<typeof options>;

/** Of one process at the same rate. */
const cpuLimit = 1.2;
/** If chance decides, each of two workers has 45 to 55 % of 1000 connections in 998 of 1000 cases. */
const shares = { least: 0.4, most: 0.6 };

interface Kind {
  readonly name: string;
  readonly workers: number;
}

const one: Kind = { name: 'one process', workers: 1 };
/** What two alike differ by is chance. The base is the mean of both, in each round. */
const alike: Kind = { name: 'one process, again', workers: 1 };
const two: Kind = { name: 'two processes', workers: 2 };
const kinds = [one, two, alike];

/** Subscribers during the warm-up, and connections that publish. */
const few = 8;

/** Each window begins with unmeasured publications, as a gateway that has rested is slower at first. */
const leadInSeconds = 0.5;

/** A gateway with its clients. All run at the same time, and one of them has work. */
interface Running {
  readonly gateway: Gateway;
  readonly pids: readonly number[];
  readonly publisher: HttpPool;
  readonly frames: Frames;
  /** The part of the connections that each process has. */
  readonly shares: readonly number[];
  end(): Promise<void>;
}

interface Run {
  /** CPU of all processes of the gateway, for a million deliveries. */
  readonly cpuSeconds: number;
  /** Of a core, by all processes. */
  readonly cpu: number;
  /** Of a core, by this process, which sends and receives. */
  readonly loadCpu: number;
  /** Publications per second. */
  readonly rate: number;
  readonly isComplete: boolean;
}

async function start({ workers }: Kind, chosen: Options): Promise<Running> {
  const { connections } = chosen;
  const gateway = await startGateway([`--workers=${workers}`, '--no-canary'], undefined, 'all');
  const { port } = gateway;
  const pids = [gateway.pid, ...childrenOf(gateway.pid)];
  const frames = { count: 0 };
  const clients = await openClients(port, few, frames);
  const publisher = new HttpPool(port, few);
  await warmUp(publisher, chosen);
  const before = pids.map(socketsOf);
  clients.push(...(await openClients(port, connections - few, frames)));
  const spread = pids.map((pid, i) => (socketsOf(pid) - (before[i] as number)) / (connections - few));
  return {
    gateway,
    pids,
    publisher,
    frames,
    shares: workers === 1 ? [1] : spread.slice(1),
    end: () => {
      for (const client of clients) client.destroy();
      publisher.close();
      return gateway.end();
    },
  };
}

async function measure(running: Running, chosen: Options): Promise<Run> {
  const { gateway, pids, publisher, frames } = running;
  await publish(publisher, chosen, leadInSeconds);
  await settled(frames);
  const delivered = await gateway.metric('sluice_deliveries_total');
  const at = read(pids);
  const published = await publish(publisher, chosen, chosen.seconds);
  await settled(frames);
  // Before the scrape of all processes, which costs as much as some publications.
  const end = read(pids);
  const seconds = end.seconds - at.seconds;
  const deliveries = (await gateway.metric('sluice_deliveries_total')) - delivered;
  return {
    cpuSeconds: ((end.cpu - at.cpu) / deliveries) * 1e6,
    cpu: (end.cpu - at.cpu) / seconds,
    loadCpu: (end.load - at.load) / seconds,
    rate: published / seconds,
    isComplete: deliveries === published * chosen.connections,
  };
}

function read(pids: readonly number[]) {
  return {
    cpu: pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0),
    load: cpuSeconds(process.pid),
    seconds: performance.now() / 1000,
  };
}

interface Frames {
  /** That have arrived. */
  count: number;
}

/** Waits until no frame arrives any more. */
async function settled(frames: Frames): Promise<void> {
  for (let last = -1; last !== frames.count; ) {
    last = frames.count;
    await setTimeout(200);
  }
}

async function openClients(port: number, count: number, frames: Frames): Promise<RawClient[]> {
  const subscribe = Buffer.from(JSON.stringify({ type: 'subscribe', id: 1, topic: 'load' }));
  const clients: RawClient[] = [];
  for (let i = 0; i < count; i++) {
    await new Promise<void>((resolve, reject) => {
      const client = new RawClient(
        { port, path: '/ws', wantedBytes: 0 },
        {
          opened: () => client.send(opcodes.text, subscribe),
          // The greeting, and the reply.
          frame: () => {
            frames.count++;
            resolve();
          },
          closed: (reason) => reject(new Error(reason)),
        },
      );
      clients.push(client);
    });
  }
  return clients;
}

/**
 * V8 compiles what runs often, for some thousand publications, in each process: a cost of the start, not of a delivery.
 * One after the other, as a worker hears of several at once in one turn, and would have run less of its code.
 */
async function warmUp(publisher: HttpPool, chosen: Options): Promise<void> {
  for (let i = 0; i < chosen.warmUp; i++) await post(publisher, chosen);
}

/** Returns the number of publications. A late one delays the next: two at once would share a frame. */
async function publish(publisher: HttpPool, chosen: Options, seconds: number): Promise<number> {
  const endMs = performance.now() + seconds * 1000;
  let published = 0;
  for (let atMs = performance.now(); atMs < endMs; atMs = performance.now()) {
    await post(publisher, chosen);
    published++;
    await setTimeout(Math.max(1, atMs + 1000 / chosen.rate - performance.now()));
  }
  return published;
}

async function post(publisher: HttpPool, { bytes }: Options): Promise<void> {
  const body = JSON.stringify({ topic: 'load', type: 'update', data: 'x'.repeat(bytes - 2) });
  const { status } = await publisher.post('/api/publish', body);
  if (status !== 200) throw new Error(`a publish was refused with ${status}`);
}

/** The SDK waits up to 1 s before its first attempt to come back, and up to 2 s more before the next. */
const backWithinMs = 3000;

function killClaims(killed: KilledWorker): Claim[] {
  const { backMs, fallen, uncounted, unscraped, exits } = killed;
  return [
    ...deliveryClaims(killed, 'a worker is killed: '),
    claim('a worker is killed: totals that fell', fallen.length === 0, fallen.length),
    atMost('a worker is killed: publications that the totals lack', Math.max(0, uncounted), unscraped),
    claim('a worker is killed: another one takes its place', exits === 1, exits),
    atMost('a worker is killed: until all clients are back', backMs, backWithinMs, 'ms'),
  ];
}

export default scenario(options, async (chosen, say) => {
  const started = new Map<Kind, Running>();
  for (const kind of kinds) started.set(kind, await start(kind, chosen));
  const runs = await inTurn(kinds, chosen.runs, say, (kind) => measure(started.get(kind)!, chosen));
  for (const running of started.values()) await running.end();
  if (chosen.kill) say('one of two workers is killed');
  const killed = chosen.kill ? await killWorker(chosen.connections, chosen.rate, say) : undefined;
  const base = (i: number) => (runs.all(one)[i]!.cpuSeconds + runs.all(alike)[i]!.cpuSeconds) / 2;
  const toOne = (kind: Kind) => median(runs.all(kind).map(({ cpuSeconds }, i) => cpuSeconds / base(i)));
  const ratio = toOne(two);
  const all = runs.all();
  const sharesOf = (kind: Kind) => started.get(kind)!.shares;
  const spread = sharesOf(two);
  return {
    tables: [
      {
        title: `${chosen.connections} connections on one topic, ${chosen.rate} publications per second`,
        columns: [
          ...['gateway', 'publications/s', 'CPU s per million deliveries', 'to both of one process'],
          ...['CPU', 'shares', 'load CPU'],
        ],
        rows: kinds.map((kind) => [
          kind.name,
          runs.of(kind, (run) => run.rate),
          runs.of(kind, (run) => run.cpuSeconds),
          `${toOne(kind).toFixed(2)} x`,
          percentText(runs.of(kind, (run) => run.cpu)),
          sharesOf(kind).map(percentText).join(' + '),
          percentText(runs.of(kind, (run) => run.loadCpu)),
        ]),
      },
      ...(killed === undefined
        ? []
        : [
            {
              title: `One of two workers is killed, ${chosen.connections} clients of the SDK, ${chosen.rate}/s`,
              columns: ['what', 'how many'],
              rows: [
                ['clients of the worker', killed.lost],
                ['ms until all were back', Math.round(killed.backMs)],
                ['published (acknowledged)', killed.verdict.acknowledged],
                ['delivered live', killed.verdict.tally.live],
                ['recovered', killed.verdict.tally.recovered],
              ],
            },
          ]),
    ],
    claims: [
      claim(
        'every publication reached every connection',
        all.every(({ isComplete }) => isComplete),
        all.length,
      ),
      claim(
        'each of two workers has 40 to 60 % of the connections',
        spread.every((share) => share >= shares.least && share <= shares.most),
        spread.map(percentText).join(' '),
      ),
      atMost('CPU of a delivery by two processes to that by one', ratio, cpuLimit, 'x'),
      ...(killed === undefined ? [] : killClaims(killed)),
    ],
    ratios: [{ name: 'CPU of a delivery by two processes to that by one', value: ratio, better: 'lower' }],
    facts: { runs: runs.facts, killed },
  };
});

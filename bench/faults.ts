import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { ClientsCalls, ClientsReport, Transport } from './faults/clients.ts';
import type { ComparisonCalls, Verdict } from './faults/comparison.ts';
import { topics } from './faults/plan.ts';
import type { PublisherCalls, PublisherReport } from './faults/publisher.ts';
import { type FaultyRedis, type RedisFault, startFaultyRedis } from './faults/redis.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { type Claim, claim, type OptionsOf, scenario } from './support/scenario.ts';
import { Worker } from './support/worker.ts';

const options = {
  clients: { default: 1000, sentence: 'Clients, each on one of the 20 topics.' },
  rate: { default: 2000, sentence: 'Publications per second.' },
  seconds: { default: 60, sentence: 'How long the storm lasts.' },
  cuts: { default: 200, sentence: 'Connections that are cut per second.' },
  stalled: { default: 50, sentence: 'Clients that don’t read at any time.' },
  longestStallMs: { default: 8000, sentence: 'How long one of them doesn’t read at most.' },
  kills: { default: 2, sentence: 'Times that the gateway is killed (SIGKILL) and started again.' },
  stops: { default: 0, sentence: 'Times that a gateway is stopped (SIGSTOP), and goes on.' },
  stopSeconds: {
    default: 15,
    sentence: 'How long it is stopped: by default for longer than others take it for alive.',
  },
  transport: {
    default: 'ws',
    sentence: 'How the clients are connected: the SDK by WebSocket, Server-Sent Events, or polls.',
    choices: ['ws', 'sse', 'poll'],
  },
  engine: { default: 'lmdb', sentence: 'Engine of the gateway.', choices: ['lmdb', 'memory', 'redis'] },
  nodes: {
    default: 1,
    sentence: 'Gateways; more than one need the engine redis. Clients take turns with them.',
  },
  fault: {
    default: 'none',
    sentence:
      'What befalls Redis in mid-storm: killed and started with its data, or without; a replica promoted, which has what was acknowledged or may lack some; the slot of a cluster moved, or its master replaced; its memory is full; its scripts are lost again and again; one after another of what befalls a single one, for --away-seconds.',
    choices: [
      ...['none', 'restart', 'empty', 'failover', 'lossyFailover'],
      ...['migrate', 'takeover', 'memory', 'scripts', 'mixed'],
    ],
  },
  awaySeconds: { default: 1.5, sentence: 'How long Redis is away then, at least.' },
  shortRings: {
    default: false,
    sentence: 'Rings that are shorter than a stall: what they lack has to be told.',
  },
  seed: { default: 1, sentence: 'Seed of payloads, cuts and stalls.' },
} as const;
type Options = OptionsOf<typeof options>;

const clientProcesses = 2;
/** At lower rates a stall does not fill the kernel's buffers. */
const fullRate = 2000;
/** Time for clients that make progress; for others it is shorter. */
const reachPatience = { stillMs: 30_000, withinMs: 300_000 };
/** Between a kill and the new start. */
const downMs = 300;
/** The clients are there before the storm, so that every subscription has publications before and after it. */
const calmSeconds = 1;

function gatewayFlags({ engine, shortRings }: Options, folder: string, redis?: FaultyRedis): string[] {
  const ring = shortRings ? [50, '1MiB'] : [100_000, '256MiB'];
  return [
    // Each publication has an id, and one publisher sends them all.
    '--message-ids-max-bytes-per-client=1GiB',
    '--message-ids-max-bytes=2GiB',
    `--engine=${engine}`,
    ...(engine === 'lmdb' ? [`--data-dir=${join(folder, 'data')}`] : []),
    ...(redis?.flags ?? []),
    `--topic-history-max-publications=${ring[0]}`,
    `--topic-history-max-bytes=${ring[1]}`,
    '--history-max-bytes=1GiB',
    // Keep the gateway's buffer for a slow client small, because the kernel buffers megabytes already.
    '--backpressure-max-bytes=64KiB',
    '--payload-max-bytes=16KiB',
    '--batch-max-bytes=16KiB',
    // About 10 publications per frame, because the clients take most of the CPU here.
    '--batch-max-delay-ms=100',
    '--log-level=info',
  ];
}

interface Seen {
  readonly verdict: Verdict;
  readonly publisher: PublisherReport;
  readonly clients: ClientsReport;
  /** Clients that did not reach the end. */
  readonly behind: readonly string[];
  readonly markers: number;
  /** Counted by the gateway, because a client that is cut before it has read its backlog does not know. */
  readonly lags: number;
}

async function run(options: Options, folder: string, say: (line: string) => void): Promise<Seen> {
  const workers: { end(): Promise<void> }[] = [];
  const start = <W extends { end(): Promise<void> }>(worker: W): W => {
    workers.push(worker);
    return worker;
  };
  const awayMs = options.awaySeconds * 1000;
  const redis =
    options.engine === 'redis'
      ? await startFaultyRedis(options.fault as RedisFault, awayMs, options.seed)
      : undefined;
  const flags = gatewayFlags(options, folder, redis);
  const gateways: Gateway[] = [];
  for (let i = 0; i < options.nodes; i++) gateways.push(await startGateway(flags));
  const ports = gateways.map(({ port }) => port);
  let lags = 0;
  const countLags = async (gateway: Gateway): Promise<void> => {
    lags += await gateway.metric('sluice_sessions_lagging_total');
  };
  const restart = async (node: number): Promise<void> => {
    const gateway = gateways[node]!;
    await countLags(gateway);
    await gateway.kill();
    await setTimeout(downMs);
    gateways[node] = await startGateway(flags, gateway.port);
  };
  try {
    const publisherPath = join(folder, 'publisher');
    const publisher = start(new Worker<PublisherCalls>(new URL('./faults/publisher.ts', import.meta.url)));
    await publisher.call('start', { ports, path: publisherPath, seed: options.seed });
    const groups = Array.from({ length: clientProcesses }, (_, i) => ({
      path: join(folder, `clients-${i}`),
      worker: start(new Worker<ClientsCalls>(new URL('./faults/clients.ts', import.meta.url))),
    }));
    const count = Math.ceil(options.clients / clientProcesses);
    const { seed, seconds, rate, transport } = options;
    const publishing = publisher.call('publish', { rate, seconds: seconds + calmSeconds });
    await Promise.all(
      groups.map(({ worker, path }, i) =>
        worker.call('start', {
          ports,
          transport: transport as Transport,
          path,
          seed,
          first: i * count,
          count,
        }),
      ),
    );
    say(`${options.clients} clients are connected; the storm begins`);
    const storm = {
      seconds,
      cutsPerSecond: options.cuts / clientProcesses,
      stalled: Math.round(options.stalled / clientProcesses),
      longestStallMs: options.longestStallMs,
    };
    const storming = Promise.all(groups.map(({ worker }) => worker.call('storm', storm)));
    const befalling = redis && setTimeout((seconds * 1000) / 2).then(() => redis.befall());
    // If something else fails first, stop Redis meanwhile.
    befalling?.catch(() => undefined);
    const stopping = stopInTurn(gateways, options, say);
    for (let i = 1; i <= options.kills; i++) {
      await setTimeout((seconds * 1000) / (options.kills + 1));
      say(`kill ${i} of ${options.kills}`);
      await restart(i % options.nodes);
    }
    await Promise.all([storming, publishing, befalling, stopping]);
    say('the storm is over');
    const markers = await publisher.call('mark');
    const wanted = { markers, ...reachPatience };
    const behind = await Promise.all(groups.map(({ worker }) => worker.call('reach', wanted)));
    const reports = await Promise.all(groups.map(({ worker }) => worker.call('finish')));
    const published = await publisher.call('finish');
    for (const gateway of gateways) await countLags(gateway);
    const comparison = start(new Worker<ComparisonCalls>(new URL('./faults/comparison.ts', import.meta.url)));
    const clients = groups.map(({ path }) => path);
    const verdict = await comparison.call('compare', { publisher: publisherPath, clients });
    return {
      verdict,
      publisher: published,
      clients: merged(reports),
      behind: behind.flat(),
      markers: markers.filter((marker) => marker !== undefined).length,
      lags,
    };
  } finally {
    for (const worker of workers) await worker.end();
    await Promise.all(gateways.map((gateway) => gateway.end()));
    await redis?.remove();
  }
}

async function stopInTurn(
  gateways: readonly Gateway[],
  { stops, stopSeconds, seconds }: Options,
  say: (line: string) => void,
): Promise<void> {
  for (let i = 0; i < stops; i++) {
    await setTimeout(Math.max(0, (seconds * 1000) / (stops + 1) - (i > 0 ? stopSeconds * 1000 : 0)));
    say(`stop ${i + 1} of ${stops}`);
    await gateways[i % gateways.length]!.suspend(stopSeconds * 1000);
  }
}

function merged(reports: readonly ClientsReport[]): ClientsReport {
  const errors: Record<string, number> = {};
  for (const report of reports)
    for (const [error, count] of Object.entries(report.errors)) errors[error] = (errors[error] ?? 0) + count;
  const sum = (pick: (report: ClientsReport) => number) => reports.reduce((all, each) => all + pick(each), 0);
  return {
    cuts: sum(({ cuts }) => cuts),
    stalls: sum(({ stalls }) => stalls),
    connects: sum(({ connects }) => connects),
    gaps: sum(({ gaps }) => gaps),
    lags: sum(({ lags }) => lags),
    errors,
    returnsAtMs: reports.flatMap(({ returnsAtMs }) => returnsAtMs),
  };
}

function claims({ verdict, publisher, behind, markers, lags }: Seen, options: Options): Claim[] {
  const { tally } = verdict;
  const none = (name: string, count: number): Claim => claim(name, count === 0, count);
  const some = (name: string, count: number): Claim => claim(name, count > 0, count);
  // A killed memory engine begins new numberings and reports everything before as lost. So does a Redis that returns in
  // another state than all gateways left it, or if one of them can't tell.
  const isOther =
    ['empty', 'failover', 'lossyFailover', 'takeover', 'mixed'].includes(options.fault) ||
    (options.fault === 'restart' && options.kills > 0);
  const keeps = (options.engine !== 'memory' || options.kills === 0) && !isOther;
  return [
    none('unaccounted', tally.unaccounted),
    none('repeats handed to the application', tally.repeats),
    none('out of order', tally.outOfOrder),
    none('other than what was acknowledged', tally.wrong),
    none('told as lost what was not', tally.wronglyTold),
    none('published twice', verdict.doubled),
    none('publishes that were refused or never answered', publisher.refused + publisher.unanswered),
    claim('every topic has its end marked', markers === topics.length, markers),
    none('clients that did not reach the end of their topic', behind.length),
    ...(keeps ? [none('numberings that began anew', tally.resets)] : []),
    ...(keeps && !options.shortRings ? [none('told as lost, with long rings', tally.toldAsLost)] : []),
    ...(options.shortRings ? [some('told as lost, with short rings', tally.toldAsLost)] : []),
    ...(options.cuts > 0 ? [some('recovered', tally.recovered)] : []),
    // Clients that do not poll are sent nothing, so they never lag.
    ...(options.stalled > 0 && options.rate >= fullRate && options.transport !== 'poll'
      ? [some('times that a client lagged', lags)]
      : []),
  ];
}

export default scenario(options, async (chosen, say) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-faults-'));
  let isKept = false;
  try {
    const seen = await run(chosen, folder, say);
    const { verdict, publisher, clients } = seen;
    const { tally } = verdict;
    const rows: [string, number][] = [
      ['published (acknowledged)', verdict.acknowledged],
      ['… after a retry', publisher.duplicates],
      ['delivered live', tally.live],
      ['recovered', tally.recovered],
      ['snapshots', tally.snapshots],
      ['values in them', tally.snapshotValues],
      ['superseded in state topics', tally.superseded],
      ['told as lost', tally.toldAsLost],
      ['unaccounted', tally.unaccounted],
      ['repeats', tally.repeats],
      ['out of order', tally.outOfOrder],
      ['connections cut', clients.cuts],
      ['stalls', clients.stalls],
      ['times that a client lagged', seen.lags],
      ['… and were told', clients.lags],
      ['gaps that the SDK noticed', clients.gaps],
      ['numberings that began anew', tally.resets],
    ];
    const rings = chosen.shortRings ? 'short' : 'long';
    const title = `seed ${chosen.seed}: ${chosen.clients} clients by ${chosen.transport}, ${chosen.rate}/s for ${chosen.seconds} s, ${chosen.nodes} x ${chosen.engine} (${chosen.fault}), ${chosen.kills} kills, ${rings} rings`;
    for (const problem of [...verdict.problems, ...seen.behind.slice(0, 20)]) say(problem);
    for (const [error, count] of Object.entries(clients.errors)) say(`${count} x ${error}`);
    for (const [reason, count] of Object.entries(publisher.reasons)) say(`${count} publishes ${reason}`);
    const judged = claims(seen, chosen);
    // Such a run can't be repeated: its faults depend on time.
    isKept = judged.some(({ holds }) => !holds);
    if (isKept) say(`the journals of publisher and clients stay in ${folder}`);
    return {
      tables: [{ title, columns: ['what', 'how many'], rows }],
      claims: judged,
      facts: { ...seen },
    };
  } finally {
    if (!isKept) rmSync(folder, { recursive: true, force: true });
  }
});

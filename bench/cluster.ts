import type { PublishJob } from './peers/peer.ts';
import { loadCore, pinTo, serverCore } from './support/core.ts';
import { type MeasuredRedis, type RedisCosts, startMeasuredRedis } from './support/measured-redis.ts';
import { cpuSeconds, waitSeconds } from './support/proc.ts';
import { median, percentText } from './support/report.ts';
import { atMost, type Claim, claim, numbers, type OptionsOf, scenario } from './support/scenario.ts';
import { saturate } from './trials/saturate.ts';
import {
  rawEach,
  type StartedSubject,
  type Subject,
  sluice,
  socketIo,
  startSubject,
} from './trials/subject.ts';
import {
  type Loaded,
  settled,
  startReceivers,
  type Trial,
  topicNames,
  trial,
  withWorkers,
} from './trials/trial.ts';

const options = {
  connections: { default: 1000, sentence: 'Subscribers, all of one node; the other one publishes.' },
  topics: {
    default: '1000,100,10',
    sentence: 'Topics that they are spread over: as many as subscribers, one each; or fewer, some for each.',
  },
  rate: { default: 1000, sentence: 'Publications per second.' },
  bytes: { default: 200, sentence: 'Size of a payload.' },
  warmUp: { default: 15, sentence: 'Seconds before, of each system: until V8 has compiled what runs often.' },
  seconds: { default: 2, sentence: 'Measured time of each window.' },
  rounds: { default: 10, sentence: 'Each has a window of each system, in turn.' },
  probes: { default: 250, sentence: 'Connections that take the time.' },
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
/** What no system between two servers and one Redis can do without. */
const least: System = { name: 'raw uWS, two nodes, Redis channel', subject: rawEach, hasRedis: true };
const systems = [one, two, other, least];

/** A limit relative to socket.io with its Redis streams adapter. */
const p99Limit = 0.5;
/**
 * The receivers take a twentieth of a core. If more than one in a hundred of their own timers is later than this in a
 * window, the machine was too busy to measure. A round counts if it has no such window.
 */
const timerLagMaxMs = 20;
/** The share of rounds that must count; with fewer p99 is not judged. Nor is it where `least` misses the limit. */
const roundsAtLeast = 0.5;

/** Each window begins with unmeasured publications, as a system that has rested is slower at first. */
const leadInSeconds = 1;
/** As often as the SDK sends its heartbeats; socket.io's servers send theirs by themselves. */
const beatEveryMs = 30_000;

/** A running system with its subscribers. All systems run at the same time, and one of them has work. */
interface Running {
  readonly system: System;
  readonly loaded: Loaded;
  /** The processes through which a publication passes. */
  readonly pids: readonly number[];
  readonly publishing: StartedSubject;
  readonly listeners: readonly StartedSubject[];
  readonly redis: MeasuredRedis | undefined;
}

interface Window extends Trial {
  /** CPU time for each publication, microseconds: of all processes, and of a node without clients. */
  readonly cpuUs: number;
  readonly listenerUs: number;
  /** How long these processes and the receivers were ready and had no core, microseconds for each publication. */
  readonly waitUs: number;
}

interface Seen {
  readonly windows: Window[];
  redis: RedisCosts | undefined;
  /** The most publications per second that all receivers got. */
  most: number;
}

type Keep = <W extends { end(): unknown }>(worker: W) => W;

/** The node with clients shares a core with Redis; the publishing one, with the clients. */
async function start(system: System, topicCount: number, chosen: Options, keep: Keep): Promise<Running> {
  const { connections, bytes: messageBytes, probes } = chosen;
  const { subject, hasRedis } = system;
  const redis = hasRedis ? await startMeasuredRedis() : undefined;
  if (redis !== undefined) {
    keep({ end: () => redis.remove() });
    pinTo(redis.pid, serverCore);
  }
  const spread = topicCount > 1;
  const startNode = async (core: number): Promise<StartedSubject> => {
    const flags = redis && { engine: 'redis', redis: redis.url };
    const node = { topics: topicCount, spread, flags, redisUrl: redis?.url };
    const started = await startSubject(subject, node, [], core);
    keep(started.worker);
    return started;
  };
  const reading = await startNode(serverCore);
  const publishing = hasRedis ? await startNode(loadCore) : reading;
  const listeners: StartedSubject[] = [];
  for (let i = 0; hasRedis && i < chosen.listeners; i++) listeners.push(await startNode(loadCore));
  const receivers = keep(startReceivers());
  await receivers.call('open', {
    port: reading.port,
    dialect: subject.dialect,
    topics: topicNames(topicCount),
    spread,
    connections,
    messageBytes,
    probes,
  });
  await receivers.call('beat', { everyMs: beatEveryMs });
  const pids = [...new Set([reading.worker.pid, publishing.worker.pid]), ...(redis ? [redis.pid] : [])];
  return { system, loaded: { ...reading, receivers }, pids, publishing, listeners, redis };
}

const publishBy =
  ({ publishing }: Running) =>
  (job: PublishJob) =>
    publishing.worker.call('publish', job);

async function measure(running: Running, topicCount: number, chosen: Options): Promise<Window> {
  const { loaded, pids, listeners } = running;
  const { rate, seconds, bytes, connections } = chosen;
  const cpuOf = (all: readonly number[]) => all.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const heardBy = listeners.map(({ worker }) => worker.pid);
  const waited = () => [...pids, loaded.receivers.pid].reduce((sum, pid) => sum + waitSeconds(pid), 0);
  const [before, heardBefore, waitedBefore] = [cpuOf(pids), cpuOf(heardBy), waited()];
  const seen = await trial({
    pid: loaded.worker.pid,
    receivers: loaded.receivers,
    publish: publishBy(running),
    receiversEach: topicCount > 1 ? connections / topicCount : connections,
    job: { topics: topicNames(topicCount), rate, seconds, bytes },
    warmUpSeconds: leadInSeconds,
  });
  const perPublication = (cpu: number) => (cpu / (seen.sent + rate * leadInSeconds)) * 1e6;
  return {
    ...seen,
    cpuUs: perPublication(cpuOf(pids) - before),
    listenerUs: perPublication((cpuOf(heardBy) - heardBefore) / (heardBy.length || 1)),
    waitUs: perPublication(waited() - waitedBefore),
  };
}

async function measureAll(
  topicCount: number,
  chosen: Options,
  say: (line: string) => void,
): Promise<Map<System, Seen>> {
  const { rate, bytes, seconds, warmUp, rounds, connections } = chosen;
  return withWorkers(async (keep) => {
    const all: Running[] = [];
    for (const system of systems) {
      say(`${system.name}, ${topicCount} topics: starts`);
      all.push(await start(system, topicCount, chosen, keep));
    }
    const topics = topicNames(topicCount);
    const receiversEach = topicCount > 1 ? connections / topicCount : connections;
    for (const running of all)
      await settled(running.loaded.receivers, receiversEach, () =>
        publishBy(running)({ topics, rate, seconds: warmUp, bytes }),
      );
    const seen = new Map<System, Seen>(
      systems.map((system) => [system, { windows: [], redis: undefined, most: 0 }]),
    );
    const costs = await Promise.all(all.map(({ redis }) => redis?.measure()));
    for (let round = 0; round < rounds; round++) {
      say(`${topicCount} topics, round ${round + 1} of ${rounds}`);
      for (let i = 0; i < all.length; i++) {
        const running = all[(i + round) % all.length] as Running;
        (seen.get(running.system) as Seen).windows.push(await measure(running, topicCount, chosen));
      }
    }
    for (const [i, { system }] of all.entries())
      (seen.get(system) as Seen).redis = await costs[i]?.(rate * (leadInSeconds + seconds) * rounds);
    if (!chosen.saturation) return seen;
    for (const { system, loaded, publishing } of all) {
      say(`${system.name}, ${topicCount} topics: as many as it can`);
      const full = await saturate({
        loaded: { ...loaded, ...publishing },
        topics,
        bytes,
        receiversEach,
        firstRate: rate / 2,
        seconds,
      });
      (seen.get(system) as Seen).most = full.publicationsPerSecond;
    }
    return seen;
  });
}

const columns = [
  ...['subject', 'topics', 'p50 ms', 'p99 ms', 'p99 to socket.io', 'p99 less own waits', 'max ms'],
  ...['lost', 'most msg/s', 'CPU us', 'waits us', 'CPU of the reader', 'load CPU', 'load timers p99 ms'],
];
const redisColumns = [
  ...['subject', 'topics', 'sent', 'commands', 'bytes in', 'bytes out', 'Redis CPU us', 'listener CPU us'],
];

/** The results for `topicCount` topics, from the rounds that count, or from all if too few count. */
function told(seen: Map<System, Seen>, topicCount: number, rounds: number) {
  const windowsOf = (system: System) => (seen.get(system) as Seen).windows;
  const lagOf = ({ received }: Window) => received.loopDelayP99Ms;
  const counted = Array.from({ length: rounds }, (_, i) => i).filter((i) =>
    systems.every((system) => lagOf(windowsOf(system)[i] as Window) <= timerLagMaxMs),
  );
  const isJudged = counted.length >= rounds * roundsAtLeast;
  const taken = isJudged ? counted : Array.from({ length: rounds }, (_, i) => i);
  const of = (system: System, pick: (window: Window) => number) =>
    median(taken.map((i) => pick(windowsOf(system)[i] as Window)));
  const p99 = (system: System, i: number) => (windowsOf(system)[i] as Window).received.latency.p99Ms;
  const toOther = (system: System) => median(taken.map((i) => p99(system, i) / p99(other, i)));
  const lost = (system: System) => windowsOf(system).reduce((sum, window) => sum + window.lost, 0);
  const rows = systems.map((system) => [
    ...[system.name, topicCount],
    of(system, ({ received }) => received.latency.p50Ms),
    of(system, ({ received }) => received.latency.p99Ms),
    `${toOther(system).toFixed(2)} x`,
    of(system, ({ received }) => received.awakeLatency.p99Ms),
    of(system, ({ received }) => received.latency.maxMs),
    lost(system),
    Math.round((seen.get(system) as Seen).most),
    Math.round(of(system, ({ cpuUs }) => cpuUs)),
    Math.round(of(system, ({ waitUs }) => waitUs)),
    percentText(of(system, ({ cpu }) => cpu)),
    percentText(of(system, ({ received }) => received.cpu)),
    of(system, lagOf),
  ]);
  const redisRows = systems
    .filter(({ hasRedis }) => hasRedis)
    .map((system) => {
      const { sent, commands, bytesIn, bytesOut, microseconds } = (seen.get(system) as Seen)
        .redis as RedisCosts;
      const listenerUs = of(system, (window) => window.listenerUs);
      return [system.name, topicCount, sent, commands, bytesIn, bytesOut, microseconds, listenerUs];
    });
  const ratio = toOther(two);
  const leastRatio = toOther(least);
  const seenRatio = `(ratio of p99 ${ratio.toFixed(2)} x)`;
  let unjudged: string | undefined;
  if (!isJudged)
    unjudged = `${topicCount} topics: in ${rounds - counted.length} of ${rounds} rounds the timers of the load were later than ${timerLagMaxMs} ms ${seenRatio}`;
  else if (leastRatio > p99Limit)
    unjudged = `${topicCount} topics: ${least.name}, has ${leastRatio.toFixed(2)} x itself ${seenRatio}`;
  const claims: Claim[] = [
    claim(`${topicCount} topics: nothing is lost, repeated or out of place`, lost(two) === 0, lost(two)),
    ...(unjudged === undefined
      ? [atMost(`${topicCount} topics: p99 across nodes to socket.io's, of each round`, ratio, p99Limit, 'x')]
      : []),
  ];
  return { rows, redisRows, claims, unjudged };
}

export default scenario(options, async (chosen, say) => {
  const all = [];
  const facts: Record<string, unknown> = {};
  for (const topicCount of numbers(chosen.topics)) {
    const seen = await measureAll(topicCount, chosen, say);
    for (const [{ name }, what] of seen) facts[`${name}, ${topicCount}`] = what;
    all.push(told(seen, topicCount, chosen.rounds));
  }
  const title = `${chosen.connections} connections, ${chosen.rate} publications per second of ${chosen.bytes} bytes; medians of windows of ${chosen.seconds} s`;
  return {
    tables: [
      { title, columns, rows: all.flatMap(({ rows }) => rows) },
      {
        title: 'Redis, for each publication',
        columns: redisColumns,
        rows: all.flatMap(({ redisRows }) => redisRows),
      },
    ],
    claims: all.flatMap(({ claims }) => claims),
    unjudged: all.flatMap(({ unjudged }) => unjudged ?? []),
    facts,
  };
});

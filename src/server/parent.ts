import { setTimeout as wait } from 'node:timers/promises';
import { steadyNowMs } from '../clock.ts';
import { accessSummary, type Config } from '../config.ts';
import type { OccupancyNews } from '../hooks/shared-occupancy.ts';
import { createLog, type Log } from '../log.ts';
import { MetricsTogether } from '../metrics/together.ts';
import { createMetrics, type Metrics } from '../metrics.ts';
import { ConnectionCaps } from '../sessions/connection-caps.ts';
import type { Topic } from '../topics/topic.ts';
import type { ParentCalls, StartFault, WorkerCalls, WorkerStart } from '../workers/calls.ts';
import { EngineHub } from '../workers/engine-hub.ts';
import { Link } from '../workers/link.ts';
import { toMachineMs } from '../workers/machine-clock.ts';
import { SocketPasser } from '../workers/passed-sockets.ts';
import { SharedSeats } from '../workers/seats.ts';
import { Supervisor, type WorkerProcess } from '../workers/supervisor.ts';
import { EventsOfWorker } from '../workers/told-events.ts';
import { type CommandLine, spawnWorker } from '../workers/worker-process.ts';
import { createEvents, eventsGraceMs, occupancyCall, occupancyPeers } from './application-events.ts';
import { BusLine } from './bus-line.ts';
import { newCanaryKey } from './canary.ts';
import { loggedFeed } from './engine-log.ts';
import { Entrances } from './entrances.ts';
import { memoryProblem } from './memory-limit.ts';
import { ReservedPorts } from './reserved-ports.ts';
import { createSharedCaps } from './shared-caps.ts';
import { createStorage } from './storage.ts';

export interface RunningParent {
  readonly host: string;
  readonly port: number;
  /** Of `compatPort`. */
  readonly compatPort: number | undefined;
  /** Of `adminPort`. */
  readonly adminPort: number | undefined;
  /** Of `proxyPort`. */
  readonly proxyPort: number | undefined;
  /** The configuration, that of a `LiveConfig`, has other values now; the workers read their own. */
  reload(): Promise<undefined>;
  /** Drains all workers, and ends. */
  close(): Promise<void>;
}

export interface ParentOptions {
  readonly log?: Log;
  /** Aborting it ends a start that is under way. */
  readonly signal?: AbortSignal;
  readonly commandLine: CommandLine;
}

type WorkerLink = Link<ParentCalls, WorkerCalls>;

/**
 * A worker that was told to drain ends its last connections after the grace time, waits as long for the last requests,
 * and needs a moment to end.
 */
const endWithinMs = 5000;
const sweepMs = 1000;

/**
 * Starts a gateway of several processes, which listen on one port. This process serves no client: it has the topics and
 * the engine, gives connections their places, and replaces workers that end. Resolves once all listen. Rejects with the
 * reason why a worker could not start, with the error of the engine, or with the reason of `signal`.
 */
export async function startParent(config: Config, options: ParentOptions): Promise<RunningParent> {
  const { log = createLog(config), signal, commandLine } = options;
  const monotonicMs = () => performance.now();
  const metrics = createMetrics();
  const storage = await createStorage({ config, metrics, monotonicMs });
  const { engine, broker } = storage;
  const line = engine.bus && new BusLine(engine.bus, log);
  const links = new Map<string, WorkerLink>();
  const reserved = new ReservedPorts(signal);
  const hub = new EngineHub({
    engine,
    broker,
    stuck: (link) => {
      log.error('a worker does not read what it is told, and is ended');
      link.close(new Error('the worker does not read'));
    },
  });
  const seats = new SharedSeats(createSharedCaps(config, engine.counts, line) ?? new ConnectionCaps(config));
  const scrapes = new MetricsTogether();
  const canaryKey = newCanaryKey();
  const passer = new SocketPasser();
  const entrances = new Entrances({ config, log, metrics, monotonicMs }, passer);
  const isAway = () => broker.degradedBy !== undefined;
  const told = createEvents(config, metrics, log, monotonicMs, line && occupancyPeers(line, isAway));
  const tellAll = <N extends 'peerTold' | 'peerGone' | 'peersCame'>(
    name: N,
    body: Parameters<WorkerCalls[N]>[0],
    except?: string,
  ) => {
    for (const [node, link] of links) if (node !== except) link.tell(name, body);
  };
  line?.listen({
    // The workers decide.
    knows: () => true,
    told: (name, body, from) => {
      if (name === occupancyCall) told?.occupancy?.heard(from, body as OccupancyNews);
      else tellAll('peerTold', [name, body, from]);
    },
    asked: (name, body, from) => askAll(from, name, body),
    gone: (node) => {
      tellAll('peerGone', node);
      told?.occupancy?.gone(node);
    },
    came: () => {
      tellAll('peersCame', undefined);
      told?.occupancy?.came();
    },
  });

  try {
    await broker.open(
      {
        appended: () => undefined,
        reset: () => undefined,
        removed: (topic: Topic) => hub.removed(topic),
      },
      signal,
      (feed) => loggedFeed(hub.feedOf(feed), config.engine, log, monotonicMs),
    );
    const { host } = config;
    const port = await reserved.add(host, config.port);
    const compatPort = await reserved.addIf(host, config.compatPort);
    const adminPort = await reserved.addIf(config.adminHost || host, config.adminPort);
    const proxyPort = await entrances.open();
    metrics.onScrape(() => {
      metrics.workers.set(links.size);
      metrics.gateways.set(line?.machineCount ?? 1);
    });
    const supervisor = new Supervisor({
      metrics,
      count: config.workers,
      spawn: (index) => spawn(index, { port, compatPort, adminPort }),
      log,
      monotonicMs,
      wait,
    });
    await supervisor.start(signal);
    reserved.release();
    told?.occupancy?.sweep();
    told?.events.start();
    log.info({ workers: config.workers, pid: process.pid }, 'several processes serve this port');
    log.info(accessSummary(config));
    const problem = memoryProblem(config);
    if (problem !== undefined) log.warn(problem);
    const sweep = setInterval(() => {
      broker.sweep();
      told?.occupancy?.sweep();
    }, sweepMs);
    return {
      host,
      port,
      compatPort,
      adminPort,
      proxyPort,
      async reload() {
        log.level = config.logLevel;
        storage.reload();
        told?.reload();
        entrances.reload();
        for (const link of links.values()) link.tell('reload', undefined);
        return undefined;
      },
      async close() {
        entrances.stop();
        await supervisor.stop((config.drainSeconds + 2 * config.shutdownGraceSeconds) * 1000 + endWithinMs);
        clearInterval(sweep);
        await told?.events.close(eventsGraceMs);
        await broker.close();
      },
    };
  } catch (error) {
    reserved.release();
    entrances.stop();
    await broker.close();
    throw error;
  }

  function spawn(
    index: number,
    ports: Pick<WorkerStart, 'port' | 'compatPort' | 'adminPort'>,
  ): WorkerProcess {
    const by = `worker-${index}`;
    const name = line?.nameOf(by) ?? by;
    const { child, channel } = spawnWorker(commandLine, entrances.isAny);
    let stopPassed = (): void => undefined;
    const link: WorkerLink = new Link(channel);
    const ofWorker = seats.forWorker();
    const itsEvents = told && new EventsOfWorker(told.events);
    let isReady = (): void => undefined;
    let isFailed = (_: unknown): void => undefined;
    const ready = new Promise<void>((resolve, reject) => {
      isReady = resolve;
      isFailed = reject;
    });
    link.listen({
      ...hub.handlersFor(link),
      ...ofWorker.handlers,
      start: () => ({
        ...ports,
        node: name,
        index,
        count: config.workers,
        canaryKey,
        steadyAheadMs: steadyNowMs() - toMachineMs(performance.now()),
      }),
      serving: () => void links.set(name, link),
      ready: () => {
        if (entrances.isAny) stopPassed = passer.add(child);
        isReady();
      },
      failed: (fault) => isFailed(errorOf(fault)),
      stopPassed: () => stopPassed(),
      metricsText: () => scrape(),
      sessionEvents: (events) => itsEvents?.told(events),
      tellPeers: ([said, body]) => {
        tellAll('peerTold', [said, body, name], name);
        line?.tell(said, body, by);
      },
      askPeers: async ([said, body]) =>
        (await Promise.all([askAll(name, said, body), line?.ask(said, body, by) ?? []])).flat(),
    });
    const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
      child.once('error', (error) => {
        isFailed(error);
        resolve({ code: null, signal: null });
      });
      child.once('exit', (code, byWhich) => resolve({ code, signal: byWhich }));
    });
    void exited.then(() => {
      isFailed(new Error('a worker ended before it served'));
      link.close(new Error('the worker has ended'));
      hub.left(link);
      ofWorker.gone();
      itsEvents?.gone();
      stopPassed();
      if (links.get(name) !== link) return;
      links.delete(name);
      scrapes.ended(name);
      tellAll('peerGone', name);
      line?.gone(by);
    });
    return {
      pid: child.pid,
      ready,
      exited,
      drain: () => link.tell('drain', undefined),
      kill: () => child.kill('SIGKILL'),
    };
  }

  /** The replies of the other workers of this machine than `asking`, as far as they reply. */
  async function askAll(asking: string, said: string, body: unknown): Promise<unknown[]> {
    const others = [...links].filter(([name]) => name !== asking);
    const replies = await Promise.allSettled(
      others.map(([, link]) => link.ask('peerAsked', [said, body, asking])),
    );
    return replies.flatMap((reply) => (reply.status === 'fulfilled' ? [reply.value] : []));
  }

  async function scrape() {
    await Promise.all(
      [...links].map(async ([name, link]) => {
        const values = await link.ask('metrics', undefined).catch(() => undefined);
        if (values !== undefined && links.get(name) === link) scrapes.heard(name, values);
      }),
    );
    return scrapes.text(await ownMetrics(metrics));
  }
}

async function ownMetrics({ registry }: Metrics) {
  return registry.getMetricsAsJSON();
}

/** Keeps the code of a system error, which tells the operator what happened. */
function errorOf({ message, code, syscall }: StartFault): Error {
  return Object.assign(new Error(message), { code, syscall });
}

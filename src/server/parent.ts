import { setTimeout as wait } from 'node:timers/promises';
import { accessSummary, type Config } from '../config.ts';
import type { OccupancyNews } from '../hooks/cluster-occupancy.ts';
import { createLog, type Log } from '../log.ts';
import { createMetrics } from '../metrics.ts';
import { ConnectionCaps } from '../sessions/admission/connection-caps.ts';
import type { Topic } from '../topics/topic.ts';
import { EngineHub } from '../workers/engine-hub.ts';
import { SocketPasser } from '../workers/passed-sockets.ts';
import { SharedSeats } from '../workers/seats.ts';
import { Supervisor } from '../workers/supervisor.ts';
import type { CommandLine } from '../workers/worker-process.ts';
import {
  createEvents,
  type EventsStage,
  eventsGraceMs,
  occupancyCall,
  otherGateways,
} from './application-events.ts';
import { BusLine, type LineListener } from './bus-line.ts';
import { loggedFeed } from './engine-log.ts';
import { type MakerReport, madeCall } from './maker-reports.ts';
import { memoryProblem } from './memory-limit.ts';
import { ParentListeners } from './parent-listeners.ts';
import { ReservedPorts } from './reserved-ports.ts';
import type { RunningGateway } from './running.ts';
import { createSharedCaps } from './shared-caps.ts';
import { SharedOptions } from './shared-options.ts';
import { createStorage } from './storage.ts';
import { WorkerPool, type WorkerPoolOptions } from './worker-pool.ts';

export interface ParentOptions {
  readonly log?: Log;
  /** Aborting it ends a start that is under way. */
  readonly signal?: AbortSignal;
  readonly commandLine: CommandLine;
}

/**
 * A worker that was told to drain ends its last connections after the grace time, waits as long for the last requests,
 * and needs a moment to end.
 */
const endWithinMs = 5000;
const sweepMs = 1000;

/**
 * Starts a gateway of several processes that listen on one port. This process serves no clients: it runs the engine,
 * counts the connections of all workers for the caps, and replaces workers that end. Resolves once all listen. Rejects
 * with the reason why a worker could not start, with the error of the engine, or with the reason of `signal`.
 */
export async function startParent(config: Config, options: ParentOptions): Promise<RunningGateway> {
  const parts = await createParts(config, options);
  const { broker } = parts.storage;
  const reserved = new ReservedPorts(options.signal);
  try {
    await openBroker(parts, options.signal);
    const { host } = config;
    const ports = {
      port: await reserved.add(host, config.port),
      compatPort: await reserved.addIf(host, config.compatPort),
      adminPort: await reserved.addIf(config.adminHost || host, config.adminPort),
    };
    const proxyPort = await parts.listeners.open();
    const supervisor = await startWorkers(parts, ports, options.signal);
    reserved.release();
    parts.told?.occupancy?.sweep();
    parts.told?.events.start();
    logStart(parts);
    return { host, ...ports, proxyPort, ...runningOf(parts, supervisor) };
  } catch (error) {
    reserved.release();
    parts.listeners.stop();
    await broker.close();
    throw error;
  }
}

/** What the parent process is made of. */
type Parts = Awaited<ReturnType<typeof createParts>>;

async function createParts(config: Config, { log = createLog(config), commandLine }: ParentOptions) {
  const monotonicMs = () => performance.now();
  const metrics = createMetrics();
  const storage = await createStorage({ config, metrics, monotonicMs });
  const { engine, broker } = storage;
  const line = engine.bus && new BusLine(engine.bus, log, new SharedOptions(config, log));
  const isAway = () => broker.degradedBy !== undefined;
  const events = createEvents(config, metrics, log, monotonicMs, line && otherGateways(line, isAway));
  const passer = new SocketPasser();
  const listeners = new ParentListeners({ config, log, metrics, monotonicMs }, passer);
  const hub = new EngineHub({
    engine,
    broker,
    stuck: (link) => pool.end(link, 'does not read its messages'),
  });
  const tellBroker = (name: string, body: unknown) => {
    if (name !== madeCall) return;
    const { maker, topics, published } = body as MakerReport;
    broker.madeElsewhere(maker, topics, published);
  };
  const pool = new WorkerPool({
    heard: tellBroker,
    commandLine,
    hub,
    line,
    metrics,
    log,
    count: config.workers,
    seats: new SharedSeats(createSharedCaps(config, engine.counts, line) ?? new ConnectionCaps(config)),
    passer: listeners.isAny ? passer : undefined,
    events: events?.events,
  });
  line?.listen(forwarding(pool, events, tellBroker));
  metrics.onScrape(() => {
    metrics.workers.set(pool.size);
    metrics.gateways.set(line?.machineCount ?? 1);
  });
  return { config, log, monotonicMs, metrics, storage, told: events, listeners, hub, pool };
}

function openBroker({ config, log, monotonicMs, storage, hub }: Parts, signal?: AbortSignal): Promise<void> {
  return storage.broker.open(
    {
      appended: () => undefined,
      reset: () => undefined,
      removed: (topic: Topic) => hub.removed(topic),
    },
    signal,
    (feed) => loggedFeed(hub.feedOf(feed), config.engine, log, monotonicMs),
  );
}

/** Resolves once all serve. */
async function startWorkers(
  { config, log, monotonicMs, metrics, pool }: Parts,
  ports: Parameters<WorkerPool['spawn']>[1],
  signal?: AbortSignal,
): Promise<Supervisor> {
  const supervisor = new Supervisor({
    metrics,
    log,
    monotonicMs,
    wait,
    count: config.workers,
    spawn: (index) => pool.spawn(index, ports),
  });
  await supervisor.start(signal);
  return supervisor;
}

function logStart({ config, log }: Parts): void {
  log.info({ workers: config.workers, pid: process.pid }, 'several processes serve this port');
  log.info(accessSummary(config));
  const problem = memoryProblem(config);
  if (problem !== undefined) log.warn(problem);
}

function runningOf(
  { config, log, storage, told, listeners, pool }: Parts,
  supervisor: Supervisor,
): Pick<RunningGateway, 'reload' | 'close'> {
  const { broker } = storage;
  const sweep = setInterval(() => {
    broker.sweep();
    told?.occupancy?.sweep();
    pool.sweep();
  }, sweepMs);
  return {
    async reload() {
      log.level = config.logLevel;
      storage.reload();
      told?.reload();
      listeners.reload();
      pool.tellAll('reload', undefined);
      return undefined;
    },
    async close() {
      listeners.stop();
      await supervisor.stop((config.drainSeconds + 2 * config.shutdownGraceSeconds) * 1000 + endWithinMs);
      clearInterval(sweep);
      await told?.events.close(eventsGraceMs);
      await broker.close();
    },
  };
}

/** Forwards the messages of other gateways to the workers, which decide what they know. */
function forwarding(
  pool: WorkerPool,
  told: EventsStage | undefined,
  heard: WorkerPoolOptions['heard'],
): LineListener {
  return {
    knows: () => true,
    told: (name, body, from) => {
      if (name === occupancyCall) told?.occupancy?.heard(from, body as OccupancyNews);
      else {
        heard(name, body);
        pool.tellAll('nodeTold', [name, body, from]);
      }
    },
    asked: (name, body, from) => pool.askAll(from, name, body),
    gone: (node) => {
      pool.tellAll('nodeGone', node);
      told?.occupancy?.gone(node);
    },
    came: () => {
      pool.tellAll('nodesCame', undefined);
      told?.occupancy?.came();
    },
  };
}

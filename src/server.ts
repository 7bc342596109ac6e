import { accessSummary, type Config } from './config.ts';
import { watchLoopDelay } from './metrics/loop-delay.ts';
import type { Metrics } from './metrics.ts';
import { type Assembly, assemble, type ServerOptions, serveOtherNodes } from './server/assembly.ts';
import { ClockWatch } from './server/clock-watch.ts';
import { drain } from './server/drain.ts';
import { loggedFeed } from './server/engine-log.ts';
import type { Environment, Swept } from './server/environment.ts';
import { type Listeners, openListeners } from './server/listeners.ts';
import { memoryProblem } from './server/memory-limit.ts';
import type { RunningGateway } from './server/running.ts';
import { leaveRefilled } from './sessions/subscriptions/refills.ts';
import { endWithUnnamedLoss } from './sessions/subscriptions/unnamed-loss.ts';
import { builtInSources } from './sources/built-in.ts';
import type { SourcePublish } from './sources/source.ts';
import type { Broker, TopicListener } from './topics/broker.ts';
import { loadUws } from './transport/uws/load.ts';

export type { ServerOptions } from './server/assembly.ts';

export interface RunningServer extends RunningGateway {
  readonly broker: Broker;
  readonly metrics: Metrics;
  /** Reloads the certificate of the port. Resolves with its error, if any; then the old one stays. */
  reloadCertificate(): Promise<Error | undefined>;
}

const sweepMs = 1000;
/** Shorter ones of the event loop are covered by the bursts of all limits. */
const stallSeconds = 0.2;

/**
 * Builds a gateway, starts it, and resolves once it listens. Rejects with a `ListenError`, with `code` ERR_UWS_LOAD,
 * with the error of the engine, or with the reason of `signal`; then nothing stays open.
 */
export async function startServer(config: Config, options: ServerOptions = {}): Promise<RunningServer> {
  const { site } = options;
  const uws = loadUws();
  const assembly = await assemble(config, options);
  serveOtherNodes(assembly, site);
  const listeners = await open(assembly, options, () =>
    openListeners({
      uws,
      environment: assembly.environment,
      serving: assembly.serving,
      ports: site?.start ?? config,
      isProxy: assembly.liveAccess.access.isProxy,
      shared: site,
    }),
  );
  logStart(assembly, listeners, options);
  setGauges(assembly, listeners, options);
  const { stopSources, stopTimers } = startWork(assembly, listeners, options);
  let draining: Promise<void> | undefined;
  return {
    host: config.host,
    ...listeners.ports,
    reloadCertificate: () => listeners.reloadCertificate(),
    reload: () => reload(assembly, listeners),
    broker: assembly.storage.broker,
    metrics: assembly.environment.metrics,
    close: () => {
      draining ??= drain(assembly, { listeners, stopSources, stopTimers }, site);
      return draining;
    },
  };
}

/** Opens the engine, loads what all nodes share, and listens. Closes the engine if any of it fails. */
async function open(
  { environment, draining, storage, revocations, sessionStage, delivery }: Assembly,
  { site, signal }: ServerOptions,
  listen: () => Promise<Listeners>,
): Promise<Listeners> {
  const { config, log, monotonicMs } = environment;
  const { broker, hotTopics } = storage;
  const { fanout } = delivery;
  const listener: TopicListener = {
    appended: (topic, publications) => {
      fanout.appended(topic, publications);
      hotTopics.appended(topic.name, publications.length);
      revocations.appended(topic, publications);
    },
    reset: (topic) => {
      fanout.reset(topic);
      revocations.reset(topic);
    },
    removed: (topic) => fanout.removed(topic),
    degradedChanged: () => void sessionStage.stateNews.changed(),
    refilling: (topic) => leaveRefilled(sessionStage.sessions.all(), topic, fanout),
    missed: () => endWithUnnamedLoss(sessionStage.sessions, draining.spreadMs),
  };
  try {
    // Among several workers the parent logs what happens to the engine.
    const isAlone = site === undefined;
    await broker.open(
      listener,
      signal,
      isAlone ? (feed) => loggedFeed(feed, config.engine, log, monotonicMs) : undefined,
    );
    await revocations.load();
    await sessionStage.presence.learn();
    return await listen();
  } catch (error) {
    await broker.close();
    throw error;
  }
}

/** Among several workers the parent logs what is the same for all. */
function logStart({ environment }: Assembly, { ports }: Listeners, { site }: ServerOptions): void {
  const { config, log } = environment;
  const { compatPort } = ports;
  if (site === undefined) {
    log.info(accessSummary(config));
    const problem = memoryProblem(config);
    if (problem !== undefined) log.warn(problem);
  }
  if (config.compat.length > 0) log.info({ compat: config.compat, compatPort }, 'serves older systems');
}

/** Figures that all workers share are set by the first one. */
function setGauges(
  { environment, draining, revocations, line }: Assembly,
  listeners: Listeners,
  { site }: ServerOptions,
): void {
  const { metrics } = environment;
  metrics.onScrape(() => {
    metrics.draining.set(draining.isOn ? 1 : 0);
    if (site === undefined) metrics.gateways.set(line?.machineCount ?? 1);
    if (!isFirst(site)) return;
    metrics.revocations.set(revocations.revocations.count);
    const expiresAtMs = listeners.certificateValidUntil?.getTime() ?? 0;
    metrics.certificateExpiryTimestampSeconds.set(expiresAtMs / 1000);
  });
}

/** The first worker does what is done once per gateway. */
function isFirst(site: ServerOptions['site']): boolean {
  return site === undefined || site.start.index === 0;
}

/** Starts timers and the built-in sources. */
function startWork(assembly: Assembly, listeners: Listeners, { site }: ServerOptions) {
  const { environment, draining, loopDelays, canary, storage, told, delivery } = assembly;
  const { log, metrics, monotonicMs } = environment;
  const { broker } = storage;
  const swept: Swept[] = [broker, storage.hotTopics, delivery.fanout, ...assembly.sessionStage.swept];
  swept.push(
    assembly.fanoutLimits,
    assembly.beginLimits,
    ...assembly.httpApi.swept,
    ...assembly.serving.swept,
  );
  if (isFirst(site)) swept.push(new ClockWatch(log, Date.now, monotonicMs));
  told?.occupancy?.sweep();
  told?.events.start();
  const stops = isFirst(site) ? startSources(environment, broker, listeners.ports.port, canary.headers) : [];
  const stopWatching = watchLoopDelay((seconds) => {
    metrics.eventLoopDelaySeconds.observe(seconds);
    loopDelays.add(seconds * 1000);
    if (seconds > stallSeconds) environment.requestTurn.stalled(monotonicMs() - seconds * 1000);
  });
  const stopSweeping = every(sweepMs, () => {
    for (const part of swept) part.sweep();
    told?.occupancy?.sweep();
    // A new certificate would open a new listener.
    if (!draining.isOn) listeners.sweep();
  });
  return {
    stopSources: () => Promise.all(stops.map((stop) => stop())),
    stopTimers: () => {
      stopSweeping();
      stopWatching();
    },
  };
}

/** Applies the changed configuration. Resolves with the error of the certificate, if any. */
async function reload(assembly: Assembly, listeners: Listeners): Promise<Error | undefined> {
  const { environment, draining, sessionStage, liveAccess } = assembly;
  environment.log.level = environment.config.logLevel;
  sessionStage.connectionLimits.reload();
  assembly.httpApi.reload();
  assembly.serving.reload();
  sessionStage.sessions.reload();
  assembly.storage.reload();
  assembly.delivery.reload();
  assembly.applicationStage.reload();
  assembly.told?.reload();
  sessionStage.sessions.reauthorize(liveAccess.reload());
  return draining.isOn ? undefined : listeners.reloadCertificate();
}

type Stop = () => unknown;

function every(ms: number, run: () => void): Stop {
  const timer = setInterval(run, ms);
  return () => clearInterval(timer);
}

/** Starts the built-in sources. Returns a function for each that stops it. */
function startSources(
  { config, metrics, log }: Environment,
  broker: Broker,
  port: number,
  canaryHeaders: Readonly<Record<string, string>>,
): Stop[] {
  const publish = publisherOf(broker);
  const sources = builtInSources({ config, port, publish, metrics, log, canaryHeaders });
  for (const source of sources) source.start();
  return sources.map((source) => () => source.stop());
}

/** The returned function rejects when one of the publications could not be committed. */
function publisherOf(broker: Broker): SourcePublish {
  return async (fields) => {
    const outcomes = await broker.publish(fields);
    for (const outcome of outcomes) if (!outcome.ok) throw outcome.error;
  };
}

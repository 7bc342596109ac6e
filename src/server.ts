import { setTimeout as wait } from 'node:timers/promises';
import type { Identity } from './auth/identity.ts';
import { accessSummary, type Config } from './config.ts';
import { eventLoop } from './fanout/schedule.ts';
import { toldBoth } from './hooks/events.ts';
import { createLog, type Log } from './log.ts';
import { RecentDelays, watchLoopDelay } from './metrics/loop-delay.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import type { PeerHandlers } from './peers.ts';
import { createApplication, type EmbeddedApplication } from './server/application.ts';
import { createEvents, eventsGraceMs, occupancyPeers } from './server/application-events.ts';
import { answeredBy, BusLine, peersBy } from './server/bus-line.ts';
import { createCanary, isCanary } from './server/canary.ts';
import { ClockWatch } from './server/clock-watch.ts';
import { createCompat } from './server/compat.ts';
import { createFanout } from './server/delivery.ts';
import { loggedFeed } from './server/engine-log.ts';
import { type Environment, reconnectSpreadMs, type Swept } from './server/environment.ts';
import { createHttpApi } from './server/http-api.ts';
import { openListeners } from './server/listeners.ts';
import { createLiveAccess } from './server/live-access.ts';
import { memoryProblem } from './server/memory-limit.ts';
import type { NodeCalls } from './server/node-calls.ts';
import { createRevocations, type RevocationStage } from './server/revocations.ts';
import { createSessions } from './server/session-stage.ts';
import { createSharedCaps } from './server/shared-caps.ts';
import { createStorage } from './server/storage.ts';
import { Strangers } from './server/strangers.ts';
import { createServing } from './server/transport.ts';
import { createWorkClock } from './server/work-clock.ts';
import type { WorkerSite } from './server/worker.ts';
import { farewell } from './sessions/farewell.ts';
import { leaveRefilled } from './sessions/refills.ts';
import type { SessionEvents } from './sessions/session-events.ts';
import { tellOf } from './sessions/told.ts';
import { TurnBudget } from './sessions/turn-budget.ts';
import { builtInSources } from './sources/built-in.ts';
import type { SourcePublish } from './sources/source.ts';
import type { Broker } from './topics/broker.ts';
import { loadUws } from './transport/uws/load.ts';
import { RequestTurn } from './transport/uws/request-turn.ts';

export interface RunningServer {
  readonly host: string;
  readonly port: number;
  /** Of `compatPort`. */
  readonly compatPort: number | undefined;
  /** Of `adminPort`. */
  readonly adminPort: number | undefined;
  /** Of `proxyPort`. */
  readonly proxyPort: number | undefined;
  /** Takes the certificate of the port anew. Resolves with what is wrong with it: then the old one stays. */
  reloadCertificate(): Promise<Error | undefined>;
  /**
   * The configuration, that of a `LiveConfig`, has other values now: holds everyone to them, ends the sessions of those
   * that are no longer let in, and takes certificate and public keys anew. Resolves with what is wrong with the
   * certificate, if anything.
   */
  reload(): Promise<Error | undefined>;
  readonly broker: Broker;
  readonly metrics: Metrics;
  /** Takes no more connections, tells the clients to come back later, drains, and ends. */
  close(): Promise<void>;
}

export interface ServerOptions {
  readonly log?: Log;
  /** This gateway is one of several workers. */
  readonly site?: WorkerSite | undefined;
  /** Aborting it ends a start that is under way. */
  readonly signal?: AbortSignal;
  /** Hears of what sessions do. */
  readonly events?: SessionEvents;
  /** The application that runs this gateway in its own process. */
  readonly embedded?: EmbeddedApplication;
}

const sweepMs = 1000;
/** A gateway that is started again listens after about as long. */
const restartMs = 1000;
/** The time of a turn that subscribing, catching up and refreshing may take, so that others wait no longer for them. */
const turnBudgetMs = 5;

/**
 * Builds a gateway, starts it, and resolves once it listens. Rejects with a `ListenError`, with `code` ERR_UWS_LOAD,
 * with the error of the engine, or with the reason of `signal`; then nothing stays open.
 */
export async function startServer(config: Config, options: ServerOptions = {}): Promise<RunningServer> {
  const log = options.log ?? createLog(config);
  const uws = loadUws();
  const metrics = createMetrics();
  let isDraining = false;
  let drainEndsAtMs = 0;
  const spreadMs = () => Math.max(reconnectSpreadMs, config.drainSeconds * 1000);
  const monotonicMs = () => performance.now();
  const loopDelays = new RecentDelays(monotonicMs);
  const environment: Environment = {
    config,
    log,
    metrics,
    monotonicMs,
    loopDelayMs: () => loopDelays.longestMs,
    workMs: createWorkClock(),
    requestTurn: new RequestTurn(eventLoop),
    isDraining: () => isDraining,
    afterDrainMs: () => Math.max(0, drainEndsAtMs - monotonicMs()) + restartMs + Math.random() * spreadMs(),
  };
  const { site } = options;
  const isFirst = site === undefined || site.start.index === 0;
  const canary = createCanary(site?.start.canaryKey);
  const storage = await createStorage(environment, site?.engine);
  const { broker, engine } = storage;
  const line = engine.bus && new BusLine(engine.bus, log);
  const peers = site?.peers ?? (line && peersBy<NodeCalls>(line));
  const caps = site?.caps ?? createSharedCaps(config, engine.counts, line);
  const around = { peers, caps, metricsText: site?.metricsText };
  const revocations: RevocationStage = createRevocations(broker, () => sessions.all());
  metrics.onScrape(() => {
    metrics.draining.set(isDraining ? 1 : 0);
    // What all workers know alike, one of them says.
    if (isFirst) metrics.revocations.set(revocations.revocations.count);
    // Of several workers the parent says it.
    if (site === undefined) metrics.gateways.set(line?.machineCount ?? 1);
  });
  const refusal = (identity: Identity) => revocations.revocations.refusal(identity);
  const applicationStage = createApplication(environment, options.embedded, refusal);
  const { application } = applicationStage;
  // Of several workers the parent tells the application.
  const isAway = () => broker.degradedBy !== undefined;
  const told =
    site === undefined
      ? createEvents(config, metrics, log, monotonicMs, line && occupancyPeers(line, isAway))
      : undefined;
  const toldEvents = site === undefined ? told?.events : site.events;
  const { access, reload: reloadAccess } = createLiveAccess(environment, refusal, application);
  const compat = createCompat(environment, broker, access);
  const turnBudget = new TurnBudget(eventLoop, turnBudgetMs);
  const fanout = createFanout(environment, broker, turnBudget);
  const sessionStage = createSessions(
    environment,
    broker,
    fanout,
    access,
    compat,
    turnBudget,
    around,
    toldBoth(options.events, toldEvents && tellOf(toldEvents, isCanary)),
  );
  const { sessions, presence } = sessionStage;
  const httpApi = createHttpApi(environment, storage, fanout, sessions, access, compat, revocations, around);
  const { api, adminApi, limits } = httpApi;
  const serving = createServing(environment, {
    ...{ api, adminApi, limits, broker, sessionStage, access, canary, compat, peers },
  });
  const handlers: PeerHandlers<NodeCalls> = {
    ...presence.peerHandlers(site?.start.node ?? line?.nameOf() ?? ''),
    ...httpApi.peerHandlers,
    occupancy: (news, from) => told?.occupancy?.heard(from, news),
    replaced: ([session, client]) => serving.polls.replaced(session, client),
  };
  const strangers = new Strangers(log);
  const hearOf = {
    gone: (node: string) => {
      presence.peerGone(node);
      told?.occupancy?.gone(node);
    },
    came: () => {
      void presence.learn().catch((error: Error) => strangers.ignore(`members: ${error.message}`, 'others'));
      told?.occupancy?.came();
    },
  };
  site?.serve(metrics, { handlers, strangers, ...hearOf });
  line?.listen({ ...answeredBy(handlers), ...hearOf });

  const listeners = await broker
    .open(
      {
        appended: (topic, publications) => {
          fanout.appended(topic, publications);
          storage.hotTopics.appended(topic.name, publications.length);
          revocations.appended(topic, publications);
        },
        reset: (topic) => {
          fanout.reset(topic);
          revocations.reset(topic);
        },
        removed: (topic) => fanout.removed(topic),
        degradedChanged: () => void sessionStage.stateNews.changed(),
        refilling: (topic) => leaveRefilled(sessions.all(), topic),
      },
      options.signal,
      // Of several workers the parent says it once.
      site === undefined ? (feed) => loggedFeed(feed, config.engine, log, monotonicMs) : undefined,
    )
    .then(() => revocations.load())
    .then(() => presence.learn())
    .then(() => openListeners(uws, environment, site?.start ?? config, serving, access.isProxy, site))
    .catch(async (error: unknown) => {
      await broker.close();
      throw error;
    });
  if (site === undefined) {
    log.info(accessSummary(config));
    const problem = memoryProblem(config);
    if (problem !== undefined) log.warn(problem);
  }
  if (config.compat.length > 0)
    log.info({ compat: config.compat, compatPort: listeners.compatPort }, 'serves older systems');

  // Of several workers the first says it.
  if (isFirst)
    metrics.onScrape(() => {
      const expiresAtMs = listeners.certificateValidUntil?.getTime() ?? 0;
      metrics.certificateExpiryTimestampSeconds.set(expiresAtMs / 1000);
    });

  const swept: Swept[] = [
    broker,
    storage.hotTopics,
    fanout,
    ...sessionStage.swept,
    ...httpApi.swept,
    ...serving.swept,
  ];
  if (isFirst) swept.push(new ClockWatch(log, Date.now, monotonicMs));
  told?.occupancy?.sweep();
  told?.events.start();
  // The first worker does what one process does for all.
  const stopSources = isFirst ? startSources(environment, broker, listeners.port, canary.headers) : [];
  const stopWatching = watchLoopDelay((seconds) => {
    metrics.eventLoopDelaySeconds.observe(seconds);
    loopDelays.add(seconds * 1000);
  });
  const stopSweeping = every(sweepMs, () => {
    for (const part of swept) part.sweep();
    told?.occupancy?.sweep();
    // A new certificate would listen anew.
    if (!isDraining) listeners.sweep();
  });

  async function drain(): Promise<void> {
    const drainMs = config.drainSeconds * 1000;
    const graceMs = config.shutdownGraceSeconds * 1000;
    isDraining = true;
    drainEndsAtMs = monotonicMs() + drainMs;
    // Its own clients hear of the end first, so a load balancer is still told that this gateway is not ready. Other
    // workers take the connections that this one is no longer there for.
    if (site !== undefined) listeners.stop();
    await Promise.all(stopSources.map((stop) => stop()));
    await farewell({
      sessions,
      overMs: drainMs,
      reconnectSpreadMs: spreadMs(),
      wait,
      monotonicMs,
      random: Math.random,
    });
    await sessions.drained(graceMs);
    if (site === undefined) listeners.stop();
    await serving.requests.finish(graceMs);
    stopSweeping();
    stopWatching();
    // The last events of the sessions are among these.
    await (told === undefined ? site?.events?.close() : told.events.close(eventsGraceMs));
    await broker.close();
    listeners.close();
  }
  async function reload(): Promise<Error | undefined> {
    log.level = config.logLevel;
    sessionStage.connectionLimits.reload();
    httpApi.reload();
    serving.reload();
    storage.reload();
    applicationStage.reload();
    told?.reload();
    sessions.reauthorize(reloadAccess());
    return isDraining ? undefined : listeners.reloadCertificate();
  }
  let draining: Promise<void> | undefined;
  const close = () => {
    draining ??= drain();
    return draining;
  };
  return {
    host: config.host,
    port: listeners.port,
    compatPort: listeners.compatPort,
    adminPort: listeners.adminPort,
    proxyPort: listeners.proxyPort,
    reloadCertificate: () => listeners.reloadCertificate(),
    reload,
    broker,
    metrics,
    close,
  };
}

type Stop = () => unknown;

function every(ms: number, run: () => void): Stop {
  const timer = setInterval(run, ms);
  return () => clearInterval(timer);
}

/** Starts the sources that come with the gateway. Returns how to stop them. */
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

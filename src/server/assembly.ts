import type { Identity } from '../auth/identity.ts';
import type { Config } from '../config.ts';
import { eventLoop } from '../fanout/turns.ts';
import { createLog, type Log } from '../log.ts';
import { RecentDelays } from '../metrics/loop-delay.ts';
import { createMetrics } from '../metrics.ts';
import type { NodeHandlers, OtherNodes } from '../other-nodes.ts';
import { BeginLimits } from '../sessions/limits/begin-limits.ts';
import { FanoutLimits } from '../sessions/limits/fanout-limits.ts';
import { TurnBudget } from '../sessions/limits/turn-budget.ts';
import { type EventListener, reportTo } from '../sessions/session-events.ts';
import { RequestTurn } from '../transport/uws/request-turn.ts';
import { createApplication, type EmbeddedApplication } from './application.ts';
import { createEvents, otherGateways } from './application-events.ts';
import { answeredBy, BusLine, otherNodesBy } from './bus-line.ts';
import { createCanary, isCanary } from './canary.ts';
import { createCompat } from './compat.ts';
import { createDelivery } from './delivery.ts';
import { Draining } from './draining.ts';
import type { Environment } from './environment.ts';
import { createHttpApi } from './http-api.ts';
import { createLiveAccess } from './live-access.ts';
import { MakerReports, madeCall } from './maker-reports.ts';
import type { NodeCalls } from './node-calls.ts';
import { RevocationStage } from './revocations.ts';
import { createSessions } from './session-stage.ts';
import { createSharedCaps } from './shared-caps.ts';
import { SharedOptions } from './shared-options.ts';
import type { Site } from './site.ts';
import { createStorage } from './storage.ts';
import { Strangers } from './strangers.ts';
import { Serving } from './transport.ts';
import { createWorkClock } from './work-clock.ts';
import type { WorkerSite } from './worker.ts';

export interface ServerOptions {
  readonly log?: Log;
  /** This gateway is one of several workers. */
  readonly site?: WorkerSite | undefined;
  /** Aborting it ends a start that is under way. */
  readonly signal?: AbortSignal;
  /** Hears of what sessions do. */
  readonly events?: EventListener;
  /** The application that runs this gateway in its own process. */
  readonly embedded?: EmbeddedApplication;
}

/** The time of a turn for subscribing, catching up and refreshing, so that others do not wait longer for them. */
const turnBudgetMs = 5;

/** The parts of a gateway, wired and not started. */
export type Assembly = Awaited<ReturnType<typeof assemble>>;

/** Builds all parts of a gateway. Among several workers the parent tells the application, and counts gateways. */
export async function assemble(config: Config, options: ServerOptions) {
  const { site } = options;
  const { environment, draining, loopDelays } = createEnvironment(config, options);
  const { log, metrics, monotonicMs } = environment;
  const canary = createCanary(site?.start.canaryKey);
  const fanoutLimits: FanoutLimits = new FanoutLimits(environment.arrival, (name, topic, bytes) =>
    delivery.fanout.takeSendMs(name, topic, bytes),
  );
  const beginLimits = new BeginLimits(config, environment.arrival);
  const makerReports = new MakerReports((made) => otherNodes?.tell(madeCall, made));
  const storage = await createStorage(environment, site?.engine, {
    chargeSending: (fields, topic, payer) => fanoutLimits.charge(fields, topic, payer),
    makers: {
      take: (maker) => beginLimits.take(maker),
      giveBack: (maker) => beginLimits.spend(maker, -1),
      made: (topic, maker, isNew) => makerReports.made(topic, maker, isNew),
      published: (published, maker) => makerReports.published(published, maker),
    },
  });
  const { broker, engine } = storage;
  const line = engine.bus && new BusLine(engine.bus, log, new SharedOptions(config, log));
  const otherNodes: OtherNodes<NodeCalls> | undefined =
    site?.otherNodes ?? (line && otherNodesBy<NodeCalls>(line));
  const caps = site?.caps ?? createSharedCaps(config, engine.counts, line);
  const shared: Site = { otherNodes, caps, metricsText: site?.metricsText };
  const revocations: RevocationStage = new RevocationStage(broker, () => sessionStage.sessions);
  const refusal = (identity: Identity) => revocations.revocations.refusal(identity);
  const applicationStage = createApplication(environment, options.embedded);
  const isAway = () => broker.degradedBy !== undefined;
  const ownEvents =
    site === undefined
      ? createEvents(config, metrics, log, monotonicMs, line && otherGateways(line, isAway))
      : undefined;
  const events = site === undefined ? ownEvents?.events : site.events;
  const liveAccess = createLiveAccess(environment, refusal, applicationStage.application);
  const { access } = liveAccess;
  const compat = createCompat(environment, broker, access, otherNodes);
  const turnBudget = new TurnBudget(eventLoop, turnBudgetMs);
  const delivery = createDelivery(environment, broker, turnBudget);
  const { fanout } = delivery;
  const listeners = [options.events, events].filter((each) => each !== undefined);
  const report = reportTo(listeners, isCanary);
  const parts = { storage, broker, fanout, access, compat, turnBudget, site: shared };
  const sessionStage = createSessions(environment, { ...parts, report });
  const { sessions } = sessionStage;
  const httpApi = createHttpApi(environment, { ...parts, sessions, revocations });
  const serving = new Serving(environment, { ...parts, ...httpApi, sessionStage, canary });
  return {
    environment,
    draining,
    loopDelays,
    canary,
    storage,
    line,
    revocations,
    applicationStage,
    told: ownEvents,
    fanoutLimits,
    beginLimits,
    turnBudget,
    liveAccess,
    compat,
    delivery,
    sessionStage,
    httpApi,
    serving,
  };
}

function createEnvironment(config: Config, { log = createLog(config) }: ServerOptions) {
  const monotonicMs = () => performance.now();
  const draining = new Draining(config, monotonicMs);
  const loopDelays = new RecentDelays(monotonicMs);
  const requestTurn = new RequestTurn(eventLoop);
  const environment: Environment = {
    config,
    log,
    metrics: createMetrics(),
    monotonicMs,
    requestTurn,
    loopDelayMs: () => loopDelays.longestMs,
    workMs: createWorkClock(),
    arrival: { nowMs: monotonicMs, sinceMs: () => requestTurn.sinceMs },
    isDraining: () => draining.isOn,
    afterDrainMs: () => draining.afterMs(),
  };
  return { environment, draining, loopDelays };
}

/** Lets the other nodes tell and ask this one, and hears of those that come and go. */
export function serveOtherNodes(assembly: Assembly, site: WorkerSite | undefined): void {
  const { environment, storage, beginLimits, line, told, sessionStage, compat, httpApi, serving } = assembly;
  const { presence } = sessionStage;
  const handlers: NodeHandlers<NodeCalls> = {
    ...presence.nodeHandlers(site?.start.node ?? line?.nameOf() ?? ''),
    ...httpApi.nodeHandlers,
    ...compat.sessions.nodeHandlers(),
    made: ({ maker, topics, begun, published }) => {
      storage.broker.madeElsewhere(maker, topics, published);
      beginLimits.spend(maker, begun);
    },
    occupancy: (news, from) => told?.occupancy?.heard(from, news),
    replaced: ([session, client]) => serving.polls.replaced(session, client),
  };
  const strangers = new Strangers(environment.log);
  const hearOf = {
    gone: (node: string) => {
      presence.nodeGone(node);
      told?.occupancy?.gone(node);
    },
    came: () => {
      void presence
        .nodesCame()
        .catch((error: Error) => strangers.ignore(`members: ${error.message}`, 'others'));
      told?.occupancy?.came();
    },
  };
  site?.serve(environment.metrics, { handlers, strangers, ...hearOf });
  line?.listen({ ...answeredBy(handlers), ...hearOf });
}

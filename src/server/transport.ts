import { applicantReader } from '../api/applicant.ts';
import { withCors } from '../api/cors.ts';
import type { Api } from '../api/dispatch.ts';
import { type RequestRateLimits, RequestRates } from '../api/request-rates.ts';
import { addressKey } from '../auth/client-address.ts';
import { needsCredentials } from '../auth/credentials.ts';
import {
  anonymousIdentity,
  type Identity,
  localIdentity,
  unauthenticatedIdentity,
} from '../auth/identity.ts';
import type { RequestFacts } from '../auth/request-facts.ts';
import { admitsAnonymous, type Config } from '../config.ts';
import { SluiceError } from '../errors.ts';
import { eventLoop } from '../fanout/schedule.ts';
import type { Metrics } from '../metrics.ts';
import { Admission } from '../sessions/admission/admission.ts';
import { HeldBytes } from '../sessions/limits/charges.ts';
import { TokenBuckets } from '../sessions/limits/token-bucket.ts';
import type { TurnBudget } from '../sessions/limits/turn-budget.ts';
import { StreamCursors } from '../sessions/subscriptions/stream-cursors.ts';
import type { Broker } from '../topics/broker.ts';
import { RequestIds } from '../transport/request-ids.ts';
import type { ExchangeOptions } from '../transport/uws/exchange.ts';
import { serveHttp } from '../transport/uws/http.ts';
import { HttpConnections } from '../transport/uws/http-connections.ts';
import type { App } from '../transport/uws/load.ts';
import { Polls } from '../transport/uws/polls.ts';
import type { BodyOptions } from '../transport/uws/request-body.ts';
import type { SocketKind } from '../transport/uws/request-head.ts';
import { RequestsUnderWay } from '../transport/uws/requests-under-way.ts';
import { UwsSink } from '../transport/uws/sink.ts';
import { EventStreams, type SseOptions } from '../transport/uws/sse.ts';
import { StreamReads, type WorkLimits } from '../transport/uws/stream-reads.ts';
import { type Corked, UpgradeHandler, type UpgradeOptions } from '../transport/uws/upgrade.ts';
import { WebSockets } from '../transport/uws/websocket.ts';
import type { Access } from './access.ts';
import type { CanaryAccess } from './canary.ts';
import type { Compat } from './compat.ts';
import { type Environment, reconnectSpreadMs, type Swept } from './environment.ts';
import { ClientFiles } from './open-files.ts';
import type { SessionStage } from './session-stage.ts';
import type { Site } from './site.ts';

export interface Served {
  readonly api: Api;
  /** With the administration, where that has a port of its own; then `api` is without it. */
  readonly adminApi: Api;
  readonly limits: WorkLimits & RequestRateLimits;
  readonly broker: Broker;
  readonly sessionStage: SessionStage;
  readonly access: Access;
  readonly canary: CanaryAccess;
  readonly compat: Compat;
  readonly otherNodes: Site['otherNodes'];
  readonly turnBudget: TurnBudget;
}

/** A hundred subscriptions with long filters. */
const streamBodyMaxBytes = 256 * 1024;
/** Proxies close a connection that is silent for a minute, some earlier. */
const heartbeatMaxMs = 15_000;

/** What an app serves: everything; only WebSockets of an older system; or only HTTP, with the administration. */
export type AppRole = 'public' | 'apart' | 'admin';

/** How apps serve HTTP, WebSockets and streams. Several may: connections of all are counted and swept together. */
export interface Serving {
  /** Adds the routes to an app that does not listen yet. */
  serve(app: App, role: AppRole, kind?: SocketKind): void;
  /** Reads the limits again. */
  reload(): void;
  /** `relayed`: returns how many connections are relayed to an app. */
  countRelayed(relayed: () => number): void;
  /** Whether there are files for another one. */
  canRelay(): boolean;
  /** What can be corked while no WebSocket is open. */
  corkBeside(corked: Corked): void;
  readonly polls: Polls;
  readonly requests: RequestsUnderWay;
  readonly swept: readonly Swept[];
}

export function createServing(environment: Environment, served: Served): Serving {
  const { config, metrics, monotonicMs } = environment;
  const { access, sessionStage, compat } = served;
  const { unread, incoming } = chargeRequests(environment);
  const counted = countConnections(environment, access, () => webSockets.count);
  const { httpConnections } = counted;
  const exchanges = {
    unread,
    monotonicMs,
    requestIds: requestIdsOf(config, access),
    writeTimeoutMs: config.writeTimeoutSeconds * 1000,
    turn: environment.requestTurn,
    connections: httpConnections,
  };
  const shared: Shared = {
    ...createAdmission(environment, served),
    ...exchanges,
    metrics,
    sessions: sessionStage.sessions,
    withCors: (response, origin) => withCors(response, origin, access.origins),
    backpressureMaxBytes: config.backpressureMaxBytes,
    turnBudget: served.turnBudget,
  };
  const sinks: UwsSink[] = [];
  let beside: Corked | undefined;
  const openSocket = () => anySocket(sinks) ?? beside;
  const rates = createRates(environment, served);
  const webSockets: WebSockets = createWebSockets(config, { ...shared, openSocket, rates }, () =>
    httpConnections.upgraded(),
  );
  const { polls, streams } = createStreams(environment, served, { ...shared, incoming });
  const requests = new RequestsUnderWay();
  const http = { ...exchanges, incoming, requests, metrics };

  const serve: Serving['serve'] = (app, role, kind = 'tcp') => {
    if (role === 'admin') {
      httpConnections.watchApart(app);
      // They have places of their own.
      serveHttp(app, { ...http, connections: { areEnding: false }, api: served.adminApi });
      return;
    }
    httpConnections.watch(app, kind);
    const sink = new UwsSink(app, metrics);
    sinks.push(sink);
    if (role === 'apart') webSockets.servePathsAlone(app, sink, compat.pathsApart);
    else {
      webSockets.serve(app, sink, kind);
      webSockets.servePaths(app, sink, compat.paths, kind);
      polls.serve(app, kind);
      streams.serve(app, kind);
      serveHttp(app, { ...http, api: served.api }, kind);
    }
  };
  return {
    serve,
    reload: counted.reload,
    polls,
    requests,
    countRelayed: (relayed) => counted.files.countRelayed(relayed),
    canRelay: counted.canRelay,
    corkBeside: (corked) => {
      beside = corked;
    },
    swept: [counted.newConnections, streams, polls],
  };
}

function createRates({ workMs, metrics }: Environment, { limits, access }: Served): RequestRates {
  return new RequestRates({
    limits,
    refused: access.refused,
    workMs,
    metrics,
    addressKey: (head) => addressKey(access.addressOf(head)),
  });
}

/** What WebSockets and streams have in common. */
type Shared = ReturnType<typeof createAdmission> &
  ExchangeOptions &
  Pick<SseOptions, 'sessions' | 'withCors' | 'backpressureMaxBytes' | 'turnBudget'> & {
    readonly metrics: Metrics;
  };

/** The bytes of requests and of responses that clients may have under way. */
function chargeRequests({ config, metrics }: Environment) {
  const bounds = requestBounds(config);
  const unread = new HeldBytes(bounds);
  const incoming = new HeldBytes(bounds);
  metrics.onScrape(() => {
    metrics.httpHeldBytes.set({ what: 'body' }, incoming.total);
    metrics.httpHeldBytes.set({ what: 'response' }, unread.total);
  });
  return { unread, incoming };
}

function requestBounds(config: Config) {
  return {
    perPayer: Math.max(config.requestsMaxBytesPerClient, config.bodyMaxBytes),
    total: Math.max(config.requestsMaxBytes, config.bodyMaxBytes),
  };
}

function requestIdsOf(config: Config, access: Access): RequestIds {
  return new RequestIds({
    hasProxies: () => config.trustedProxies.length > 0 || config.unixSocket !== '',
    isProxy: (peer) => access.isProxy(peer),
  });
}

function anySocket(sinks: readonly UwsSink[]): Corked | undefined {
  for (const sink of sinks) {
    const socket = sink.openSocket();
    if (socket !== undefined) return socket;
  }
  return undefined;
}

function createWebSockets(
  config: Config,
  shared: Shared & Pick<UpgradeOptions, 'openSocket' | 'rates'>,
  upgraded: () => void,
): WebSockets {
  return new WebSockets({
    ...shared,
    upgradeHandler: new UpgradeHandler(shared),
    frameMaxBytes: config.frameMaxBytes,
    idleTimeoutSeconds: config.idleTimeoutSeconds,
    upgraded,
  });
}

function createStreams(
  { config, workMs, metrics }: Environment,
  { broker, limits, otherNodes }: Served,
  shared: Shared & Pick<BodyOptions, 'incoming'>,
) {
  const common = {
    ...shared,
    cursors: new StreamCursors(broker.commits),
    reads: new StreamReads({ limits, workMs, turns: eventLoop, metrics }),
    bodyMaxBytes: Math.min(streamBodyMaxBytes, config.frameMaxBytes),
  };
  const polls = new Polls({
    ...common,
    // Half of a client's share: one response may be unread while the next one is built.
    responseMaxBytes: Math.max(requestBounds(config).perPayer / 2, config.backpressureMaxBytes),
    replaced: otherNodes && ((session, client) => otherNodes.tell('replaced', [session, client])),
  });
  const streams = new EventStreams({
    ...common,
    heartbeatMs: Math.min(heartbeatMaxMs, (config.idleTimeoutSeconds * 1000) / 4),
    reconnectSpreadMs,
  });
  return { polls, streams };
}

function countConnections(
  { config, log, metrics, arrival, isDraining }: Environment,
  access: Access,
  webSocketCount: () => number,
) {
  // Each WebSocket begins as an HTTP connection.
  const perSecond = () => Math.max(config.httpConnectionsPerSecondPerIp, 2 * config.handshakesPerSecondPerIp);
  const newConnections = new TokenBuckets(perSecond(), perSecond(), arrival);
  const files = new ClientFiles();
  const socketsMax = files.max;
  if (socketsMax * config.workers < config.connectionsMax)
    log.warn(
      `A process may have too few files open (ulimit -n) for ${config.connectionsMax} connections ` +
        `(connectionsMax): from ${socketsMax} on, new ones are closed.`,
    );
  const httpConnections = new HttpConnections({
    isDraining,
    get max() {
      return config.httpConnectionsMax;
    },
    filesFree: () => files.leftBeside(webSocketCount()),
    admits: (peer) => access.isProxy(peer) || newConnections.take(addressKey(peer)) === 0,
    refused: (code, address) => access.refused('socket', new SluiceError(code), { address, origin: '' }),
    metrics,
  });
  const reload = () => newConnections.limit(perSecond(), perSecond());
  const canRelay = () => files.canRelayBeside(webSocketCount() + httpConnections.count);
  return { httpConnections, newConnections, files, canRelay, reload };
}

/** How requests for connections are read, and who gets one. */
function createAdmission(environment: Environment, { sessionStage, access, canary }: Served) {
  const { config, isDraining, afterDrainMs } = environment;
  const { requestAccess, credentials, addressOf, requestedHostOf, refused, loopbackProblem, application } =
    access;
  const { connectionLimits } = sessionStage;
  const withoutCredential = (request: RequestFacts): Identity => {
    if (needsCredentials(credentials)) {
      return admitsAnonymous(config) ? anonymousIdentity : unauthenticatedIdentity;
    }
    // A page whose origin is listed may have asked by another name.
    const isOwn = loopbackProblem(request, { mediaTypes: ['application/json'] }) === undefined;
    return isOwn ? localIdentity : anonymousIdentity;
  };
  // The gateway's own client comes from this machine, though a trusted proxy may be there, too.
  const isOwnClient = (request: RequestFacts) => canary.identityOf(request) !== undefined;
  const readApplicant = applicantReader({
    upgradeProblem: (request) => (isOwnClient(request) ? undefined : requestAccess.upgradeProblem(request)),
    identityOf: (request) => canary.identityOf(request) ?? withoutCredential(request),
    clientAddress: addressOf,
    requestedHostOf,
    refused,
    toldHeaders: () => (application.connect === undefined ? [] : config.hookHeaders),
  });
  const admission = new Admission({
    credentials,
    refusal: access.refusal,
    connectionLimits,
    isDraining,
    afterDrainMs,
    refused,
    application,
  });
  return { readApplicant, admission };
}

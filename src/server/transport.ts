import { applicantReader } from '../api/applicant.ts';
import { withCors } from '../api/cors.ts';
import type { ApiResponse } from '../api/http.ts';
import { RequestRates } from '../api/request-rates.ts';
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
import { eventLoop } from '../fanout/turns.ts';
import type { Metrics } from '../metrics.ts';
import { Admission } from '../sessions/admission/admission.ts';
import { HeldBytes } from '../sessions/limits/charges.ts';
import { TokenBuckets } from '../sessions/limits/token-bucket.ts';
import type { TurnBudget } from '../sessions/limits/turn-budget.ts';
import { StreamCursors } from '../sessions/subscriptions/stream-cursors.ts';
import type { Broker } from '../topics/broker.ts';
import { RequestIds } from '../transport/request-ids.ts';
import { type HttpOptions, serveHttp } from '../transport/uws/http.ts';
import { HttpConnections } from '../transport/uws/http-connections.ts';
import type { App } from '../transport/uws/load.ts';
import { Polls } from '../transport/uws/polls.ts';
import type { SocketKind } from '../transport/uws/request-head.ts';
import { RequestsUnderWay } from '../transport/uws/requests-under-way.ts';
import { UwsSink } from '../transport/uws/sink.ts';
import { EventStreams } from '../transport/uws/sse.ts';
import { StreamReads } from '../transport/uws/stream-reads.ts';
import { type Corkable, UpgradeHandler } from '../transport/uws/upgrade.ts';
import { WebSockets } from '../transport/uws/websocket.ts';
import type { Access } from './access.ts';
import type { CanaryAccess } from './canary.ts';
import type { Compat } from './compat.ts';
import { type Environment, reconnectSpreadMs, type Swept } from './environment.ts';
import type { HttpApi } from './http-api.ts';
import { ClientFiles } from './open-files.ts';
import type { SessionStage } from './session-stage.ts';
import type { Site } from './site.ts';

export interface ServingParts extends Pick<HttpApi, 'api' | 'adminApi' | 'limits'> {
  readonly broker: Broker;
  readonly sessionStage: SessionStage;
  readonly access: Access;
  readonly canary: CanaryAccess;
  readonly compat: Compat;
  readonly site: Pick<Site, 'otherNodes'>;
  readonly turnBudget: TurnBudget;
}

/** A hundred subscriptions with long filters. */
const streamBodyMaxBytes = 256 * 1024;
/** Proxies close a connection that is silent for a minute, some earlier. */
const heartbeatMaxMs = 15_000;

/** What an app serves: everything; only WebSockets of an older system; or only HTTP, with the administration. */
export type AppRole = 'public' | 'apart' | 'admin';

/** How apps serve HTTP, WebSockets and streams. Several may: connections of all are counted and swept together. */
export class Serving {
  readonly polls: Polls;
  readonly requests = new RequestsUnderWay();
  readonly swept: readonly Swept[];
  readonly #connections: ReturnType<typeof countConnections>;
  readonly #webSockets: WebSockets;
  readonly #streams: EventStreams;
  readonly #http: HttpOptions;
  readonly #adminHttp: HttpOptions;
  readonly #compat: Compat;
  readonly #metrics: Metrics;
  readonly #sinks: UwsSink[] = [];
  #beside: Corkable | undefined;

  /** Each part is built from those before it. */
  constructor(environment: Environment, served: ServingParts) {
    const { config, metrics, monotonicMs, requestTurn: turn, workMs } = environment;
    const { access, broker, limits, sessionStage, turnBudget } = served;
    const { sessions } = sessionStage;
    const { otherNodes } = served.site;
    const { unread, incoming, perPayer } = chargeRequests(environment);
    const connections = countConnections(environment, access, () => this.#webSockets.count);
    const requestIds = requestIdsOf(config, access);
    const writeTimeoutMs = config.writeTimeoutSeconds * 1000;
    const exchanges = {
      unread,
      monotonicMs,
      requestIds,
      writeTimeoutMs,
      turn,
      connections: connections.http,
    };
    const clients = {
      ...exchanges,
      ...createAdmission(environment, served),
      metrics,
      sessions,
      withCors: (response: ApiResponse, origin: string) => withCors(response, origin, access.origins),
      backpressureMaxBytes: config.backpressureMaxBytes,
    };
    const openSocket = () => this.#openSocket();
    const rates = new RequestRates({
      limits,
      refused: access.refused,
      workMs,
      metrics,
      addressKey: (head) => addressKey(access.addressOf(head)),
    });
    this.#webSockets = new WebSockets({
      ...clients,
      upgradeHandler: new UpgradeHandler({ ...clients, openSocket, rates }),
      frameMaxBytes: config.frameMaxBytes,
      idleTimeoutSeconds: config.idleTimeoutSeconds,
      upgraded: () => connections.http.upgraded(),
    });
    const streams = {
      ...clients,
      incoming,
      turnBudget,
      cursors: new StreamCursors(broker.commits),
      reads: new StreamReads({ limits, workMs, turns: eventLoop, metrics }),
      bodyMaxBytes: Math.min(streamBodyMaxBytes, config.frameMaxBytes),
    };
    this.polls = new Polls({
      ...streams,
      // Half of a client's share: one response may be unread while the next one is built.
      responseMaxBytes: Math.max(perPayer / 2, config.backpressureMaxBytes),
      replaced: otherNodes && ((session, client) => otherNodes.tell('replaced', [session, client])),
    });
    this.#streams = new EventStreams({
      ...streams,
      heartbeatMs: Math.min(heartbeatMaxMs, (config.idleTimeoutSeconds * 1000) / 4),
      reconnectSpreadMs,
    });
    this.#http = { ...exchanges, incoming, requests: this.requests, metrics, api: served.api };
    // Connections of the administration have places of their own.
    this.#adminHttp = { ...this.#http, api: served.adminApi, connections: { areEnding: false } };
    this.#connections = connections;
    this.#compat = served.compat;
    this.#metrics = metrics;
    this.swept = [connections.opening, this.#streams, this.polls];
  }

  /** Adds the routes to an app that does not listen yet. */
  serve(app: App, role: AppRole, kind: SocketKind = 'tcp'): void {
    const { http } = this.#connections;
    if (role === 'admin') {
      http.watchApart(app);
      serveHttp(app, this.#adminHttp);
      return;
    }
    http.watch(app, kind);
    const sink = new UwsSink(app, this.#metrics);
    this.#sinks.push(sink);
    if (role === 'apart') this.#webSockets.servePaths(app, sink, this.#compat.pathsApart);
    else {
      this.#webSockets.serve(app, sink, kind);
      this.#webSockets.servePaths(app, sink, this.#compat.paths, kind);
      this.polls.serve(app, kind);
      this.#streams.serve(app, kind);
      serveHttp(app, this.#http, kind);
    }
  }

  /** Reads the limits again. */
  reload(): void {
    this.#connections.reload();
  }

  /** `relayed`: returns how many connections are relayed to an app. */
  countRelayed(relayed: () => number): void {
    this.#connections.files.countRelayed(relayed);
  }

  /** Whether there are files for another one. */
  canRelay(): boolean {
    const { files, http } = this.#connections;
    return files.canRelayBeside(this.#webSockets.count + http.count);
  }

  /** What can be corked while no WebSocket is open. */
  corkBeside(corked: Corkable): void {
    this.#beside = corked;
  }

  #openSocket(): Corkable | undefined {
    for (const sink of this.#sinks) {
      const socket = sink.openSocket();
      if (socket !== undefined) return socket;
    }
    return this.#beside;
  }
}

/** The bytes of requests and of responses that clients may have under way. */
function chargeRequests({ config, metrics }: Environment) {
  const perPayer = Math.max(config.requestsMaxBytesPerClient, config.bodyMaxBytes);
  const bounds = { perPayer, total: Math.max(config.requestsMaxBytes, config.bodyMaxBytes) };
  const unread = new HeldBytes(bounds);
  const incoming = new HeldBytes(bounds);
  metrics.onScrape(() => {
    metrics.httpHeldBytes.set({ what: 'body' }, incoming.total);
    metrics.httpHeldBytes.set({ what: 'response' }, unread.total);
  });
  return { unread, incoming, perPayer };
}

function requestIdsOf(config: Config, access: Access): RequestIds {
  return new RequestIds({
    hasProxies: () => config.trustedProxies.length > 0 || config.unixSocket !== '',
    isProxy: (peer) => access.isProxy(peer),
  });
}

/** HTTP connections, how many clients open, and the files that these take. */
function countConnections(
  { config, log, metrics, arrival, isDraining }: Environment,
  access: Access,
  webSocketCount: () => number,
) {
  // Each WebSocket begins as an HTTP connection.
  const perSecond = () => Math.max(config.httpConnectionsPerSecondPerIp, 2 * config.handshakesPerSecondPerIp);
  const opening = new TokenBuckets(perSecond(), perSecond(), arrival);
  const files = new ClientFiles();
  const socketsMax = files.max;
  if (socketsMax * config.workers < config.connectionsMax)
    log.warn(
      `A process may have too few files open (ulimit -n) for ${config.connectionsMax} connections ` +
        `(connectionsMax): from ${socketsMax} on, new ones are closed.`,
    );
  const http = new HttpConnections({
    isDraining,
    get max() {
      return config.httpConnectionsMax;
    },
    filesFree: () => files.leftBeside(webSocketCount()),
    admits: (peer) => access.isProxy(peer) || opening.take(addressKey(peer)) === 0,
    refused: (code, address) => access.refused('socket', new SluiceError(code), { address, origin: '' }),
    metrics,
  });
  const reload = () => opening.limit(perSecond(), perSecond());
  return { http, opening, files, reload };
}

/** How requests for connections are read, and who gets one. */
function createAdmission(environment: Environment, { sessionStage, access, canary }: ServingParts) {
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

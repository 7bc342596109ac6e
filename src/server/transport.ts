import { applicantReader } from '../api/applicant.ts';
import { withCors } from '../api/cors.ts';
import type { Api } from '../api/dispatch.ts';
import type { ApiResponse } from '../api/http.ts';
import { addressKey } from '../auth/client-address.ts';
import { needsCredentials } from '../auth/credentials.ts';
import {
  anonymousIdentity,
  type Identity,
  localIdentity,
  unauthenticatedIdentity,
} from '../auth/identity.ts';
import type { RequestFacts } from '../auth/request-facts.ts';
import { admitsAnonymous } from '../config.ts';
import { Admission } from '../sessions/admission.ts';
import { HeldBytes } from '../sessions/charges.ts';
import { StreamCursors } from '../sessions/stream-cursors.ts';
import { TokenBuckets } from '../sessions/token-bucket.ts';
import type { Broker } from '../topics/broker.ts';
import { serveHttp } from '../transport/uws/http.ts';
import { HttpConnections } from '../transport/uws/http-connections.ts';
import type { App } from '../transport/uws/load.ts';
import { Polls } from '../transport/uws/polls.ts';
import { UwsSink } from '../transport/uws/sink.ts';
import { EventStreams } from '../transport/uws/sse.ts';
import { UpgradeHandler } from '../transport/uws/upgrade.ts';
import { serveWebSockets } from '../transport/uws/websocket.ts';
import type { Access } from './access.ts';
import type { Canary } from './canary.ts';
import type { Compat } from './compat.ts';
import { type Environment, reconnectSpreadMs, type Swept } from './environment.ts';
import type { SessionStage } from './session-stage.ts';
import type { WorkerSite } from './worker.ts';

export interface Served {
  readonly api: Api;
  readonly broker: Broker;
  readonly sessionStage: SessionStage;
  readonly access: Access;
  readonly canary: Canary;
  readonly compat: Compat;
  readonly site: WorkerSite | undefined;
}

interface ServedConnections {
  readonly polls: Polls;
  readonly swept: readonly Swept[];
}

/** A hundred subscriptions with long filters. */
const streamBodyMaxBytes = 256 * 1024;
/** Proxies close a connection that is silent for a minute, some earlier. */
const heartbeatMaxMs = 15_000;

/**
 * Serves HTTP, WebSockets and streams by this app, and by `apart` the older system that has a port of its own. Neither
 * listens yet.
 */
export function serveApp(
  app: App,
  apart: App | undefined,
  environment: Environment,
  served: Served,
): ServedConnections {
  const { config, metrics, monotonicMs } = environment;
  const requestBytes = {
    perPayer: Math.max(config.requestsMaxBytesPerClient, config.bodyMaxBytes),
    total: Math.max(config.requestsMaxBytes, config.bodyMaxBytes),
  };
  const unread = new HeldBytes(requestBytes);
  const exchanges = { unread, monotonicMs, writeTimeoutMs: config.writeTimeoutSeconds * 1000 };
  const { httpConnections, newConnections } = countConnections(environment, served.access);
  httpConnections.watch(app);
  const sink = new UwsSink(app, metrics);
  const incoming = new HeldBytes(requestBytes);
  const { sessions } = served.sessionStage;
  const doors = {
    ...createDoor(environment, served),
    withCors: (answer: ApiResponse, origin: string) => withCors(answer, origin, served.access.origins),
  };
  const servePaths = serveWebSockets(app, {
    upgradeHandler: new UpgradeHandler({
      ...doors,
      ...exchanges,
      metrics,
      openSocket: () => sink.openSocket(),
    }),
    sessions,
    sink,
    frameMaxBytes: config.frameMaxBytes,
    idleTimeoutSeconds: config.idleTimeoutSeconds,
    backpressureMaxBytes: config.backpressureMaxBytes,
    monotonicMs,
    metrics,
    upgraded: () => httpConnections.upgraded(),
  });
  const { compat } = served;
  servePaths(app, sink, compat.doors);
  if (apart !== undefined) {
    httpConnections.watch(apart);
    servePaths(apart, new UwsSink(apart, metrics), compat.doorsApart);
  }
  const common = {
    ...doors,
    ...exchanges,
    sessions,
    cursors: new StreamCursors(served.broker),
    incoming,
    bodyMaxBytes: Math.min(streamBodyMaxBytes, config.frameMaxBytes),
    backpressureMaxBytes: config.backpressureMaxBytes,
    metrics,
  };
  const { site } = served;
  const polls = new Polls(app, {
    ...common,
    replaced: site && ((session, client) => site.peers.tell('replaced', [session, client])),
  });
  const streams = new EventStreams(app, {
    ...common,
    heartbeatMs: Math.min(heartbeatMaxMs, (config.idleTimeoutSeconds * 1000) / 4),
    reconnectSpreadMs,
  });
  serveHttp(app, { ...exchanges, api: served.api, incoming, metrics });
  return { polls, swept: [newConnections, streams, polls] };
}

function countConnections({ config, metrics, monotonicMs }: Environment, access: Access) {
  // Each WebSocket begins as an HTTP connection.
  const perSecond = Math.max(config.httpConnectionsPerSecondPerIp, 2 * config.handshakesPerSecondPerIp);
  const newConnections = new TokenBuckets(perSecond, perSecond, monotonicMs);
  const httpConnections = new HttpConnections({
    max: config.maxHttpConnections,
    admits: (peer) => access.isProxy(peer) || newConnections.take(addressKey(peer)) === 0,
    metrics,
  });
  return { httpConnections, newConnections };
}

/** How requests for connections are read, and who gets one. */
function createDoor(environment: Environment, { sessionStage, access, canary }: Served) {
  const { config, isDraining } = environment;
  const { requestAccess, credentials, addressOf, refused, loopbackProblem } = access;
  const { connectionLimits } = sessionStage;
  const withoutCredential = (request: RequestFacts): Identity => {
    if (needsCredentials(credentials)) {
      return admitsAnonymous(config) ? anonymousIdentity : unauthenticatedIdentity;
    }
    return loopbackProblem(request, []) === undefined ? localIdentity : anonymousIdentity;
  };
  const readApplicant = applicantReader({
    requestAccess,
    identityOf: (request) => canary.identityOf(request) ?? withoutCredential(request),
    clientAddress: addressOf,
    refused,
  });
  const admission = new Admission({ credentials, connectionLimits, isDraining, refused });
  return { readApplicant, admission };
}

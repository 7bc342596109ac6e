import { randomBytes } from 'node:crypto';
import { assetsOf } from './api/assets.ts';
import { withCors } from './api/cors.ts';
import { createApi } from './api/dispatch.ts';
import type { GatewayStats, Readiness, Service } from './api/ports.ts';
import { sessionDirectory } from './api/session-directory.ts';
import { topicReader } from './api/topic-reader.ts';
import { Turns } from './api/turns.ts';
import { apiKeys } from './auth/api-keys.ts';
import { authorizer, publishingAuthorizer } from './auth/authorize.ts';
import { addressKey, clientAddress, trustedPeer } from './auth/client-address.ts';
import { createCredentials, needsCredentials } from './auth/credentials.ts';
import { anonymousIdentity, type Identity, localIdentity, unauthenticatedIdentity } from './auth/identity.ts';
import { loopbackAccess } from './auth/loopback-access.ts';
import { originPolicy } from './auth/origins.ts';
import { logRefusals } from './auth/refusals.ts';
import { createRequestAccess } from './auth/request-access.ts';
import type { RequestFacts } from './auth/request-facts.ts';
import { tokenVerifier } from './auth/tokens.ts';
import { PageCache } from './catch-up/page-cache.ts';
import { accessSummary, admitsAnonymous, type Config, namespaceOptions, proxySuspected } from './config.ts';
import { engines } from './engines/engines.ts';
import { Encoder } from './fanout/encoder.ts';
import { Fanout } from './fanout/fanout.ts';
import { eventLoop } from './fanout/schedule.ts';
import { createLog, type Log } from './log.ts';
import { watchLoopDelay } from './metrics/loop-delay.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { HeldBytes } from './sessions/charges.ts';
import { ConnectionLimits } from './sessions/connection-limits.ts';
import { Handshake } from './sessions/handshake.ts';
import { Presence } from './sessions/presence.ts';
import { RequestLimits } from './sessions/request-limits.ts';
import { Sessions } from './sessions/sessions.ts';
import { Subscriber } from './sessions/subscribe.ts';
import { TokenBuckets } from './sessions/token-bucket.ts';
import { TurnBudget } from './sessions/turn-budget.ts';
import { builtInSources } from './sources/built-in.ts';
import type { SourcePublish } from './sources/source.ts';
import { Broker } from './topics/broker.ts';
import type { TopicOptions } from './topics/topic.ts';
import { namespaceOf } from './topics/topic-name.ts';
import { serveHttp } from './transport/uws/http.ts';
import { HttpConnections } from './transport/uws/http-connections.ts';
import { type Listening, listen } from './transport/uws/listen.ts';
import { loadUws } from './transport/uws/load.ts';
import { UwsSink } from './transport/uws/sink.ts';
import { UpgradeHandler } from './transport/uws/upgrade.ts';
import { serveWebSockets } from './transport/uws/websocket.ts';
import { version } from './version.ts';

export interface RunningServer {
  readonly host: string;
  readonly port: number;
  readonly broker: Broker;
  readonly metrics: Metrics;
  /** Takes no more connections, tells the clients to come back later, drains, and ends. */
  close(): Promise<void>;
}

export interface ServerOptions {
  readonly log?: Log;
  /** Aborting it ends a start that is under way. */
  readonly signal?: AbortSignal;
}

/** How long clients are asked to spread their reconnects over, when the gateway stops. */
const reconnectSpreadMs = 2000;
const sweepMs = 1000;
/** Subscribing and catching up may take so much of a turn: what others wait for it at most. */
const turnBudgetMs = 5;
/** Of pages for clients that come back: they reach thousands of publications back, for seconds. */
const pageCacheMaxBytes = 4 * 1024 * 1024;

/** Large messages of clients that wait for a later turn to be decoded. */
const waitingMessagesMaxBytes = 16 * 1024 * 1024;

/**
 * Builds a gateway, starts it, and answers once it listens. Rejects with a `ListenError`, with `code` ERR_UWS_LOAD, with what
 * the engine says, or with the reason of `signal`; then nothing stays open.
 */
export async function startServer(config: Config, options: ServerOptions = {}): Promise<RunningServer> {
  const log = options.log ?? createLog(config);
  const uws = loadUws();
  const app = uws.App();
  const metrics = createMetrics();
  const monotonicMs = () => performance.now();
  const startedAtMs = Date.now();
  const startedAtMonotonicMs = monotonicMs();
  let draining = false;

  const namespace = (name: string): TopicOptions => {
    const { topicHistoryMaxPublications, topicHistoryMaxAgeSeconds, topicHistoryMaxBytes, mode, ttlMs } =
      namespaceOptions(config, name);
    return {
      mode,
      maxPublications: topicHistoryMaxPublications,
      maxAgeMs: topicHistoryMaxAgeSeconds * 1000,
      maxBytes: topicHistoryMaxBytes,
      ttlMs: ttlMs || undefined,
    };
  };
  const engine = await (await engines[config.engine]())(config);
  const broker = new Broker({
    engine,
    namespace,
    metrics,
    payloadMaxBytes: config.payloadMaxBytes,
    topicsMax: config.topicsMax,
    historyMaxBytes: config.historyMaxBytes,
  });

  const sink = new UwsSink(app, metrics);
  const encoder = new Encoder({
    compressMinBytes: config.compressMinBytes,
    dictionaryMinBytes: config.dictionaryMinBytes,
    nowMs: eventLoop.nowMs,
    metrics,
  });
  const fanout = new Fanout({
    broker,
    encoder,
    turns: eventLoop,
    metrics,
    batch: (topic) => {
      const { batchMaxDelayMs, batchMaxBytes } = namespaceOptions(config, namespaceOf(topic.name));
      return { maxDelayMs: batchMaxDelayMs, maxBytes: batchMaxBytes };
    },
    viewsPerTopic: config.viewsPerTopic,
    viewsMax: config.viewsMax,
  });

  const tokens = config.tokenSecret === undefined ? undefined : tokenVerifier(config.tokenSecret);
  const credentials = createCredentials(apiKeys(config.apiKeys), tokens);
  const authorize = authorizer(config.namespaces);
  const origins = originPolicy(config.origins);
  const refused = logRefusals(log, monotonicMs);
  const addressOf = clientAddress(config.trustedProxies);
  const isProxy = trustedPeer(config.trustedProxies);
  const loopbackProblem = loopbackAccess({
    origins,
    isProxy,
    suspected: (sign) => log.warn(proxySuspected(sign, config)),
  });
  const requestAccess = createRequestAccess({
    credentials,
    origins,
    loopbackProblem,
    refused,
    sourceOf: (request) => ({
      address: addressOf({ peerAddress: request.peerAddress, forwardedFor: request.forwardedFor ?? '' }),
      origin: request.header('origin'),
    }),
    admitsAnonymous: admitsAnonymous(config),
  });

  const requestBytes = {
    perPayer: Math.max(config.requestsMaxBytesPerClient, config.bodyMaxBytes),
    total: Math.max(config.requestsMaxBytes, config.bodyMaxBytes),
  };
  const incoming = new HeldBytes(requestBytes);
  const unread = new HeldBytes(requestBytes);
  const exchanges = { unread, monotonicMs, writeTimeoutMs: config.writeTimeoutSeconds * 1000 };
  const requestLimits = new RequestLimits(config, monotonicMs);
  // WebSockets begin as such connections.
  const perIp = Math.max(config.httpConnectionsPerSecondPerIp, 2 * config.handshakesPerSecondPerIp);
  const newConnections = new TokenBuckets(perIp, perIp, monotonicMs);
  const httpConnections = new HttpConnections(app, {
    max: config.maxHttpConnections,
    admits: (peer) => isProxy(peer) || newConnections.take(addressKey(peer)) === 0,
    metrics,
  });
  const connectionLimits = new ConnectionLimits(config, monotonicMs);
  const presence = new Presence({
    fanout,
    isOn: (topic) => namespaceOptions(config, namespaceOf(topic)).presence,
    nowMs: () => broker.wallMs(),
  });
  const subscriber = new Subscriber({
    broker,
    fanout,
    authorize,
    presence,
    dictionaries: config.compressMinBytes > 0 && config.dictionaryMinBytes > 0,
    conflates: (target) => namespaceOptions(config, namespaceOf(target)).conflate,
    modeOf: (topic) => namespaceOptions(config, namespaceOf(topic)).mode,
    subscriptionsPerSession: config.subscriptionsPerSession,
    metrics,
  });
  const pageCache = new PageCache({
    maxBytes: pageCacheMaxBytes,
    compressMinBytes: config.compressMinBytes,
    metrics,
  });
  const waitingMessages = new HeldBytes({
    perPayer: 2 * config.frameMaxBytes,
    total: Math.max(waitingMessagesMaxBytes, 2 * config.frameMaxBytes),
  });
  const turnBudget = new TurnBudget(eventLoop, turnBudgetMs);
  const sessions = new Sessions({
    connectionLimits,
    subscriber,
    context: {
      broker,
      fanout,
      presence,
      catchUp: {
        nowMs: () => broker.nowMs(),
        pageBytes: Math.min(config.batchMaxBytes, config.backpressureMaxBytes / 4),
        pages: pageCache,
        modeOf: (topic) => namespaceOptions(config, namespaceOf(topic)).mode,
        metrics,
      },
      monotonicMs,
      backpressureMaxBytes: config.backpressureMaxBytes,
      commandsPerSecond: config.commandsPerSecond,
      metrics,
      turnBudget,
    },
    commands: {
      broker,
      presence,
      identify: (credential) => credentials.identify(credential),
      authorize,
      metrics,
    },
    limits: {
      frameMaxBytes: config.frameMaxBytes,
      payloadMaxBytes: config.payloadMaxBytes,
      subscriptions: config.subscriptionsPerSession,
      commandsPerSecond: config.commandsPerSecond,
      idleTimeoutMs: config.idleTimeoutSeconds * 1000,
    },
    waitingMessages,
    version,
    writeTimeoutMs: config.writeTimeoutSeconds * 1000,
    backpressureTotalMaxBytes: config.backpressureTotalMaxBytes,
    metrics,
    log,
    refused,
  });

  const service: Service = {
    version,
    stats: () => stats(),
    ready: async (): Promise<Readiness> => {
      if (draining) return { ok: false, checks: { gateway: 'draining' } };
      const problem = await broker.probe();
      return { ok: problem === undefined, checks: { engine: problem ?? 'ok' } };
    },
    metricsText: async () => ({
      contentType: metrics.registry.contentType,
      body: await metrics.registry.metrics(),
    }),
  };
  const api = createApi({
    ports: {
      publisher: broker,
      topics: topicReader({ broker, namespace, subscribers: (topic) => fanout.subscribers(topic) }),
      sessions: sessionDirectory(sessions),
      service,
      assets: assetsOf(webFolder),
      authorize,
      authorizePublishing: publishingAuthorizer(config.namespaces),
      turns: new Turns({
        nextTurn: setImmediate,
        monotonicMs,
        spent: (account, ms) => requestLimits.spent(account, ms, 0),
      }),
      bodyMaxBytes: config.bodyMaxBytes,
    },
    requestAccess,
    origins,
    metrics,
    log,
    limits: requestLimits,
    addressKey: (head) => addressKey(addressOf(head)),
  });
  const canaryKey = randomBytes(24).toString('base64url');
  const identityOf = (request: RequestFacts): Identity => {
    if (request.header(canaryHeader) === canaryKey) return canaryIdentity;
    if (!needsCredentials(credentials)) {
      return loopbackProblem(request, []) === undefined ? localIdentity : anonymousIdentity;
    }
    return admitsAnonymous(config) ? anonymousIdentity : unauthenticatedIdentity;
  };
  const handshake = new Handshake({
    requestAccess,
    credentials,
    identityOf,
    clientAddress: addressOf,
    refused,
    connectionLimits,
    isDraining: () => draining,
  });
  const upgradeHandler = new UpgradeHandler({
    handshake,
    withCors: (answer, origin) => withCors(answer, origin, origins),
    ...exchanges,
    metrics,
  });
  serveWebSockets(app, {
    upgradeHandler,
    sessions,
    sink,
    frameMaxBytes: config.frameMaxBytes,
    idleTimeoutSeconds: config.idleTimeoutSeconds,
    backpressureMaxBytes: config.backpressureMaxBytes,
    monotonicMs,
    metrics,
    upgraded: () => httpConnections.upgraded(),
  });
  serveHttp(app, { ...exchanges, api, incoming, metrics });

  const open = async (): Promise<Listening> => {
    await broker.open(fanout, options.signal);
    return listen(uws, app, config.host, config.port);
  };
  const listening = await open().catch(async (error: unknown) => {
    await broker.close();
    throw error;
  });
  log.info(accessSummary(config));
  const sources = builtInSources({
    config,
    port: listening.port,
    publish: publisherOf(broker),
    metrics,
    log,
    canaryHeaders: { [canaryHeader]: canaryKey },
  });
  for (const source of sources) source.start();
  const stopWatching = watchLoopDelay((seconds) => metrics.eventLoopDelaySeconds.observe(seconds));
  const sweeping = setInterval(() => {
    broker.sweep();
    fanout.sweep();
    sessions.sweep();
    requestLimits.sweep();
    newConnections.sweep();
    pageCache.sweep();
  }, sweepMs);

  function stats(): GatewayStats {
    return {
      state: draining ? 'draining' : 'running',
      startedAtMs,
      uptimeMs: monotonicMs() - startedAtMonotonicMs,
      engine: { name: engine.name, up: broker.degradedBy === undefined },
      connections: { active: sessions.count, total: metrics.connectionsTotal.value },
      publications: metrics.publicationsTotal.value,
      deliveries: metrics.deliveriesTotal.value,
      sentBytes: metrics.sentBytesTotal.value,
      topics: broker.size,
      subscriptions: fanout.subscriptions(busiestTopics),
    };
  }

  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    draining = true;
    clearInterval(sweeping);
    stopWatching();
    await Promise.all(sources.map((source) => source.stop()));
    listening.stop();
    sessions.endAll(reconnectSpreadMs);
    await sessions.drained(config.shutdownGraceSeconds * 1000);
    await broker.close();
    app.close();
  }

  return {
    host: config.host,
    port: listening.port,
    broker,
    metrics,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** Carries what only this process knows, and lets the canary hear its topic. */
const canaryHeader = 'x-sluice-canary';
const canaryIdentity: Identity = { anonymous: false, permissions: [], scopes: ['read'] };

/** `GET /api/stats` names so many. */
const busiestTopics = 100;

/** What `npm run build` made: the same place from dist/server.js and from src/server.ts. */
const webFolder = new URL('../dist/web/', import.meta.url);

/** As sources publish: rejects when one of them could not be committed. */
function publisherOf(broker: Broker): SourcePublish {
  return async (fields) => {
    const outcomes = await broker.publish(fields);
    for (const outcome of outcomes) if (!outcome.ok) throw outcome.error;
  };
}

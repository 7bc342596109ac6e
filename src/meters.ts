import type { Refused } from './auth/refusals.ts';
import type { ErrorCode, SluiceError } from './errors.ts';
import type { EncoderMetrics } from './fanout/encoder.ts';
import type { Fanout } from './fanout/fanout.ts';
import type { FanoutMetrics } from './fanout/flush.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { HeldBytes } from './sessions/charges.ts';
import type { Sessions, SessionsMetrics } from './sessions/sessions.ts';
import type { Broker, BrokerMetrics } from './topics/broker.ts';
import type { HttpConnections } from './transport/http-connections.ts';
import type { SinkMetrics } from './transport/uws-sink.ts';
import type { WebSocketMetrics } from './transport/websocket.ts';

// What each part of the gateway counts, onto the table of metrics.

export function brokerMetrics(metrics: Metrics): BrokerMetrics {
  const { ringEvictionsTotal } = metrics;
  const evictions = {
    count: ringEvictionsTotal.labels({ reason: 'count' }),
    age: ringEvictionsTotal.labels({ reason: 'age' }),
    bytes: ringEvictionsTotal.labels({ reason: 'bytes' }),
    total: ringEvictionsTotal.labels({ reason: 'total' }),
    ttl: ringEvictionsTotal.labels({ reason: 'ttl' }),
  };
  return {
    published: (count) => metrics.publicationsTotal.inc(count),
    duplicate: () => metrics.publishDuplicatesTotal.inc(),
    failed(code) {
      metrics.publishErrorsTotal.inc({ code });
      if (code === 'rate_limited') metrics.rateLimitedTotal.inc({ scope: 'publish' });
    },
    evicted: (reason, count) => evictions[reason].inc(count),
    publishSeconds: (seconds) => metrics.publishSeconds.observe(seconds),
    appendSeconds: (seconds) => metrics.engineAppendSeconds.observe(seconds),
    retried: (count) => metrics.engineRetriesTotal.inc(count),
    engineUp: (up) => metrics.engineUp.set(up ? 1 : 0),
  };
}

export function encoderMetrics(metrics: Metrics): EncoderMetrics {
  const plain = metrics.frameBytesTotal.labels({ stage: 'plain' });
  const wire = metrics.frameBytesTotal.labels({ stage: 'wire' });
  return {
    encoded(plainBytes, wireBytes) {
      metrics.framesTotal.inc();
      plain.inc(plainBytes);
      wire.inc(wireBytes);
    },
    deflated: () => metrics.deflatesTotal.inc(),
    dictionaryTried: (outcome) => metrics.dictionaryTrialsTotal.inc({ outcome }),
  };
}

export function fanoutMetrics(metrics: Metrics): FanoutMetrics {
  return {
    batch: (publications) => metrics.batchPublications.observe(publications),
    flushSeconds: (seconds) => metrics.flushSeconds.observe(seconds),
    deliverySeconds: (seconds) => metrics.deliverySeconds.observe(seconds),
  };
}

export function sinkMetrics(metrics: Metrics): SinkMetrics {
  return {
    delivered: (publications) => metrics.deliveriesTotal.inc(publications),
    retracted: (publications) => metrics.deliveriesTotal.retract(publications),
    sentBytes: (bytes) => metrics.sentBytesTotal.inc(bytes),
    dropped: (frames) => metrics.dropsTotal.inc(frames),
  };
}

export function webSocketMetrics(metrics: Metrics): WebSocketMetrics {
  const opened = metrics.connectionsTotal.labels({ transport: 'websocket' });
  return {
    opened(handshakeSeconds) {
      opened.inc();
      metrics.handshakeSeconds.observe(handshakeSeconds);
    },
    closed: (reason) => metrics.connectionsClosedTotal.inc({ reason }),
    idleTimeout: () => metrics.heartbeatTimeoutsTotal.inc(),
    sentBytes: (bytes) => metrics.sentBytesTotal.inc(bytes),
  };
}

/** Of refused upgrades. */
const credentialFaults: ReadonlySet<ErrorCode> = new Set([
  'unauthorized',
  'token_expired',
  'token_not_yet_valid',
  'forbidden',
  'origin_not_allowed',
  'local_only',
]);

export function rejected(metrics: Metrics): (error: SluiceError) => void {
  return ({ code }) => {
    metrics.connectionsRejectedTotal.inc({ reason: code });
    if (credentialFaults.has(code)) metrics.authFailuresTotal.inc({ reason: code });
    if (code === 'rate_limited') metrics.rateLimitedTotal.inc({ scope: 'handshake' });
  };
}

/** Of connections that were closed before their first request. */
export function connectionRejected(metrics: Metrics): (reason: string) => void {
  return (reason) => {
    metrics.connectionsRejectedTotal.inc({ reason });
    if (reason === 'rate_limited') metrics.rateLimitedTotal.inc({ scope: 'connection' });
  };
}

export function sessionsMetrics(metrics: Metrics, log: Log, refused: Refused): SessionsMetrics {
  return {
    command: (command) => metrics.commandsTotal.inc({ command }),
    commandError: (code) => metrics.commandErrorsTotal.inc({ code }),
    commandRateLimited: () => metrics.rateLimitedTotal.inc({ scope: 'command' }),
    refused(error, { peer }) {
      metrics.authFailuresTotal.inc({ reason: error.code });
      refused('connect', error, { address: peer.address, origin: '' });
    },
    fault: (error, session) => log.error({ err: error, session: session.id }, 'a command failed'),
  };
}

interface GaugeSources {
  readonly broker: Broker;
  readonly fanout: Fanout;
  readonly sessions: Sessions;
  readonly incoming: HeldBytes;
  readonly unread: HeldBytes;
  readonly waitingMessages: HeldBytes;
  readonly httpConnections: HttpConnections;
}

/** What is looked up when somebody scrapes, instead of being counted all the time. */
export function gauges(
  metrics: Metrics,
  { broker, fanout, sessions, incoming, unread, waitingMessages, httpConnections }: GaugeSources,
): void {
  metrics.onScrape(() => {
    let lagging = 0;
    let buffered = 0;
    let subscriptions = 0;
    for (const session of sessions.all()) {
      if (session.isLagging) lagging++;
      buffered += session.unsentBytes();
      subscriptions += session.views.size;
    }
    let ringPublications = 0;
    for (const { ring } of broker.topics()) ringPublications += ring.count;
    metrics.connections.set({ transport: 'websocket' }, sessions.count);
    metrics.connectionsUnauthenticated.set(sessions.unauthenticated);
    metrics.sessionsLagging.set(lagging);
    metrics.backpressureBytes.set(buffered);
    metrics.waitingMessageBytes.set(waitingMessages.total);
    metrics.httpConnections.set(httpConnections.count);
    metrics.httpHeldBytes.set({ what: 'body' }, incoming.total);
    metrics.httpHeldBytes.set({ what: 'answer' }, unread.total);
    metrics.subscriptions.set(subscriptions);
    metrics.views.set(fanout.viewCount);
    metrics.topics.set(broker.size);
    metrics.ringPublications.set(ringPublications);
    metrics.ringBytes.set(broker.bytes);
    metrics.messageIdBytes.set(broker.messageIdBytes);
  });
}

/** The totals that `GET /api/stats` shows. */
export async function totals(metrics: Metrics, active: number) {
  const total = async (name: string) => {
    const metric = await metrics.registry.getSingleMetric(name)?.get();
    return metric?.values.reduce((sum, { value }) => sum + value, 0) ?? 0;
  };
  return {
    active,
    total: await total('sluice_connections_total'),
    publications: await total('sluice_publications_total'),
    deliveries: await total('sluice_deliveries_total'),
    sentBytes: await total('sluice_sent_bytes_total'),
  };
}

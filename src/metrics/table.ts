/** Label -> its values if they are a closed set (then counters start at 0), else `open`. */
export type LabelSpec = Readonly<Record<string, readonly string[] | 'open'>>;

export interface Spec<T extends 'counter' | 'net' | 'gauge' | 'histogram', S extends LabelSpec> {
  readonly type: T;
  readonly help: string;
  readonly labels: S;
  readonly buckets?: readonly number[];
}

type None = Record<never, never>;

const counter = <const S extends LabelSpec = None>(help: string, labels?: S): Spec<'counter', S> => ({
  type: 'counter',
  help,
  labels: labels ?? ({} as S),
});
const net = (help: string): Spec<'net', None> => ({ type: 'net', help, labels: {} });
const gauge = <const S extends LabelSpec = None>(help: string, labels?: S): Spec<'gauge', S> => ({
  type: 'gauge',
  help,
  labels: labels ?? ({} as S),
});
const histogram = <const S extends LabelSpec = None>(
  help: string,
  buckets: readonly number[],
  labels?: S,
): Spec<'histogram', S> => ({ type: 'histogram', help, buckets, labels: labels ?? ({} as S) });

const latency = [0.001, 0.002, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** For work within this process, most of which takes microseconds. */
const work = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, ...latency];
const counts = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/**
 * Every metric, without the prefix `sluice_`, in base units. No topic, user or id is ever a label, because their number
 * is unbounded. The owner of what a gauge shows sets it in an `onScrape` callback.
 */
export const table = {
  connections: gauge('Open connections.', { transport: 'open' }),
  connections_unauthenticated: gauge(
    'Open connections that have not authenticated, where a credential is required.',
  ),
  connections_total: counter('Accepted connections.', { transport: 'open' }),
  connections_rejected_total: counter('Refused connections, by error code.', { reason: 'open' }),
  connections_closed_total: counter('Closed connections, by close code or "client".', { reason: 'open' }),
  handshake_seconds: histogram('Time from the upgrade request to the greeting.', latency),
  heartbeat_timeouts_total: counter(
    'Connections closed because no message and no pong came within the idle timeout.',
  ),
  client_round_trip_seconds: histogram('Round trip time of a ping, reported by clients.', latency),

  commands_total: counter('Commands received from clients.', { command: 'open' }),
  command_errors_total: counter('Commands that failed, by error code.', { code: 'open' }),
  rate_limited_total: counter('Refusals by a rate limit.', {
    scope: ['connection', 'handshake', 'command', 'publish', 'http'],
  }),
  auth_failures_total: counter('Refused tokens, keys and origins, by error code.', {
    reason: 'open',
  }),

  api_key_uses_total: counter('Requests and connections with an API key, by the name of the key.', {
    api_key: 'open',
  }),

  publications_total: counter('Publications committed by the engine.'),
  publish_errors_total: counter('Publishes that failed, by error code.', { code: 'open' }),
  publish_duplicates_total: counter('Publishes that repeated a known messageId.'),
  publish_seconds: histogram('Time from a publish to its acknowledgement.', work),
  engine_append_seconds: histogram('Time of a commit by the engine.', work),
  engine_retries_total: counter('Publications retried at the engine.'),
  engine_up: gauge('1 if the engine accepts publications, else 0.'),

  deliveries_total: net(
    'Publications sent to receivers, minus those dropped or unsent when a session ended.',
  ),
  frames_total: counter('Live batches encoded, one per view.'),
  frame_bytes_total: counter('Bytes of live batches, before (plain) and after (wire) compression.', {
    stage: ['plain', 'wire'],
  }),
  deflates_total: counter('Live batches compressed, at most one per view.'),
  refreshes_total: counter('Periodic snapshots of state topics, one per view.'),
  shared_pages_total: counter('Catch-up pages encoded once for all receivers at the same position.'),
  shared_page_deflates_total: counter('Shared catch-up pages compressed, once they were sent often enough.'),
  dictionary_trials_total: counter(
    'Dictionaries tried, by outcome: the first of a view, a replacement of an older one, or rejected.',
    { outcome: ['first', 'rotated', 'rejected'] },
  ),
  sent_bytes_total: counter('Bytes of messages sent to connections.'),
  batch_publications: histogram('Publications per batch.', counts),
  flush_seconds: histogram(
    'Time of a flush: filter, encode, compress and send to all views of a topic.',
    work,
  ),
  delivery_seconds: histogram(
    'Time from accepting a publication to the end of the flush that sent it.',
    latency,
  ),
  canary_seconds: histogram('Time from publish to receipt by the built-in client, over loopback.', latency),

  drops_total: counter('Frames dropped because of backpressure; catch-up sends their publications later.'),
  sessions_lagging: gauge('Sessions that read too slowly and get no live batches for now.'),
  sessions_lagging_total: counter('Transitions of a session from live to lagging.'),
  recoveries_total: counter('Catch-ups and subscriptions with `since`, by outcome.', {
    outcome: ['recovered', 'snapshot', 'gap'],
  }),
  waiting_message_bytes: gauge('Bytes of large client messages that wait to be decoded.'),
  backpressure_bytes: gauge('Unsent bytes of all sessions.'),

  subscription_errors_total: counter('Refused subscriptions, by error code.', { code: 'open' }),
  pattern_backlog_bytes: gauge('Bytes of lists of the topics that subscribers of patterns still lack.'),
  pending_command_bytes: gauge(
    'Bytes of commands that wait for earlier commands, the engine or the application.',
  ),
  presence_bytes: gauge('Bytes charged for the members of topics.'),
  presence_unlisted_total: counter('Members not listed because of the limit on presence.'),

  topics: gauge('Topics.'),
  views: gauge('Views.'),
  subscriptions: gauge('Subscriptions of all sessions.'),
  acknowledged_positions: gauge('Remembered positions of users, one per user and topic (inbox).'),
  message_id_bytes: gauge('Bytes of remembered messageIds.'),
  ring_publications: gauge('Publications in all rings.'),
  ring_bytes: gauge('Bytes of all rings.'),
  ring_evictions_total: counter('Publications evicted from a ring, by the limit that was reached.', {
    reason: ['count', 'age', 'bytes', 'total', 'ttl'],
  }),

  hook_seconds: histogram('Time of a hook or call, including its time in the queue.', latency, {
    hook: 'open',
  }),
  hook_errors_total: counter('Hooks and calls without a valid answer of the application.', {
    hook: 'open',
    reason: 'open',
  }),
  hook_denials_total: counter('Hooks and calls refused by the application.', { hook: 'open' }),
  hooks_waiting: gauge('Hooks and calls that run or are queued.', { hook: 'open' }),
  events_total: counter('Events acknowledged by the application.'),
  events_dropped_total: counter('Events dropped because the queue overflowed.'),
  event_batch_errors_total: counter('Failed attempts to send a batch of events; each is retried.'),
  event_queue_bytes: gauge('Bytes of unacknowledged events.'),

  workers: gauge('Worker processes that serve clients; 0 without --workers.'),
  worker_exits_total: counter('Worker processes that died and were replaced.'),
  gateways: gauge('Gateways that share the engine and are alive, including this one.'),
  revocations: gauge('Revoked tokens and users.'),
  draining: gauge('Processes that are draining their clients.'),
  certificate_expiry_timestamp_seconds: gauge(
    'Time, in seconds since 1970, when the certificate of the port expires; 0: it has none.',
  ),

  event_loop_delay_seconds: histogram('Delay of timers, measured 20 times a second.', latency),
  source_errors_total: counter('Failures of built-in sources.', { source: 'open' }),
  http_connections: gauge('Open TCP connections that are not (yet) WebSockets.'),
  http_held_bytes: gauge('Bytes of request bodies being received, and of unread responses.', {
    what: ['body', 'response'],
  }),
  http_requests_total: counter('HTTP requests, by route pattern and status.', {
    route: 'open',
    status: 'open',
  }),
  http_request_seconds: histogram('Duration of HTTP requests, by route pattern.', latency, { route: 'open' }),
} as const;

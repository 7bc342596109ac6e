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
  connections_unauthenticated: gauge('Open connections that have not shown the credential that is needed.'),
  connections_total: counter('Connections that were accepted.', { transport: 'open' }),
  connections_rejected_total: counter('Connections that were refused, by error code.', { reason: 'open' }),
  connections_closed_total: counter('Connections that ended, by close code or "client".', { reason: 'open' }),
  handshake_seconds: histogram('From the upgrade request to the greeting.', latency),
  heartbeat_timeouts_total: counter(
    'Connections that ended because neither a message nor a pong came in time.',
  ),
  client_round_trip_seconds: histogram('Round trip of a ping, as clients report it.', latency),

  commands_total: counter('Commands of clients.', { command: 'open' }),
  command_errors_total: counter('Commands that got an error as their reply.', { code: 'open' }),
  rate_limited_total: counter('Refusals by a token bucket.', {
    scope: ['connection', 'handshake', 'command', 'publish', 'http'],
  }),
  auth_failures_total: counter('Tokens, keys and origins that were refused, by error code.', {
    reason: 'open',
  }),

  api_key_uses_total: counter('Requests and connections with an API key, by its name.', { api_key: 'open' }),

  publications_total: counter('Publications that the engine has committed.'),
  publish_errors_total: counter('Publishes that were refused or failed.', { code: 'open' }),
  publish_duplicates_total: counter('Publishes whose messageId was seen before.'),
  publish_seconds: histogram('From a publish to its acknowledgement.', work),
  engine_append_seconds: histogram('Time that the engine takes to commit.', work),
  engine_retries_total: counter('Publications that were given to the engine again.'),
  engine_up: gauge('1 while the engine accepts publications.'),

  deliveries_total: net(
    'Publications handed to receivers, minus those dropped or unsent when a session ended.',
  ),
  frames_total: counter('Live batches that were framed, once per view.'),
  frame_bytes_total: counter('Bytes of live batches, before (plain) and after (wire) compression.', {
    stage: ['plain', 'wire'],
  }),
  deflates_total: counter('Live batches that were deflated, at most once per view.'),
  refreshes_total: counter('Snapshots of state topics that were sent again, once per view.'),
  shared_pages_total: counter('Catch-up pages that were framed once for all receivers at the same position.'),
  shared_page_deflates_total: counter(
    'Shared catch-up pages that were deflated, after they had been sent often enough.',
  ),
  dictionary_trials_total: counter(
    'Dictionaries that were tried: the first of a view, one that replaced an older one, or one not worth announcing.',
    { outcome: ['first', 'rotated', 'rejected'] },
  ),
  sent_bytes_total: counter('Bytes of messages handed to connections.'),
  batch_publications: histogram('Publications per batch.', counts),
  flush_seconds: histogram(
    'Time of a flush: filter, frame, compress, publish to all views of a topic.',
    work,
  ),
  delivery_seconds: histogram(
    'From the acceptance of a publication to the end of the drain that sent it.',
    latency,
  ),
  canary_seconds: histogram('From publish to receipt by the built-in client, over loopback.', latency),

  drops_total: counter('Frames that sessions lost to backpressure; catch-up sends their publications again.'),
  sessions_lagging: gauge('Sessions that read too slowly and get no live batches.'),
  sessions_lagging_total: counter('Times that a session began to lag.'),
  recoveries_total: counter('Catch-ups and subscriptions with `since`, by outcome.', {
    outcome: ['recovered', 'snapshot', 'gap'],
  }),
  waiting_message_bytes: gauge('Bytes of large client messages that wait for a later turn to be decoded.'),
  backpressure_bytes: gauge('Unsent bytes of all sessions, buffered or waiting for the buffer.'),

  subscription_errors_total: counter('Subscriptions that were refused, by error code.', { code: 'open' }),
  pending_command_bytes: gauge(
    'Bytes of commands that wait for those before them, for the engine or for the application.',
  ),
  presence_bytes: gauge('Bytes that the members of topics are charged.'),
  presence_unlisted_total: counter('Members of topics that are not listed, because presence had no room.'),

  topics: gauge('Topics.'),
  views: gauge('Views.'),
  subscriptions: gauge('Subscriptions of all sessions.'),
  acknowledged_positions: gauge('Topics of users whose clients have acknowledged what they had (inbox).'),
  message_id_bytes: gauge('Bytes of the messageIds that are remembered, for 5 minutes.'),
  ring_publications: gauge('Publications in all rings.'),
  ring_bytes: gauge('Bytes of all rings.'),
  ring_evictions_total: counter('Publications that left a ring, by the limit that they hit.', {
    reason: ['count', 'age', 'bytes', 'total', 'ttl'],
  }),

  hook_seconds: histogram('From a question to the application to its answer, waiting included.', latency, {
    hook: 'open',
  }),
  hook_errors_total: counter('Questions to the application without an answer that counts.', {
    hook: 'open',
    reason: 'open',
  }),
  hook_denials_total: counter('Refusals by the application.', { hook: 'open' }),
  hooks_waiting: gauge('Questions to the application that are asked or wait.', { hook: 'open' }),
  events_total: counter('Events that the application has acknowledged.'),
  events_dropped_total: counter('Events that the application did not take before their queue was full.'),
  event_batch_errors_total: counter('Batches of events that were sent in vain, and are sent again.'),
  event_queue_bytes: gauge('Bytes of events that the application has not acknowledged yet.'),

  workers: gauge('Worker processes that serve clients; 0 where one process does all.'),
  worker_exits_total: counter('Worker processes that ended by themselves and were replaced.'),
  gateways: gauge('Gateways that share the engine and can be heard, this one among them.'),
  revocations: gauge('Tokens and users that are revoked.'),
  draining: gauge('Processes that drain their clients.'),

  event_loop_delay_seconds: histogram('How late timers run, measured 20 times a second.', latency),
  source_errors_total: counter('Failures of built-in sources.', { source: 'open' }),
  http_connections: gauge('Open connections that are not WebSockets (yet).'),
  http_held_bytes: gauge(
    'Bytes of request bodies being received, and of responses that clients have not read.',
    {
      what: ['body', 'answer'],
    },
  ),
  http_requests_total: counter('HTTP requests, by route pattern and status.', {
    route: 'open',
    status: 'open',
  }),
  http_request_seconds: histogram('HTTP requests.', latency, { route: 'open' }),
} as const;

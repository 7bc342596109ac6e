import { figure, lines, type Section, stacked } from './panel.ts';
import {
  added,
  chosen,
  now,
  observedPerSecond,
  perSecond,
  quantile,
  quantiles,
  selected,
  span,
} from './queries.ts';

const wireBytes = perSecond('frame_bytes_total', '', 'stage="wire"');
const plainBytes = perSecond('frame_bytes_total', '', 'stage="plain"');

/** The panels of the dashboard for Grafana. `../dashboard.ts` adds one for each metric that none of them shows. */
export const sections: readonly Section[] = [
  {
    title: 'At a glance',
    panels: [
      figure('Connections', 'short', [now('connections', 'connections')]),
      figure('Publications per second', 'short', [perSecond('publications_total', 'publications')]),
      figure('Deliveries per second', 'short', [perSecond('deliveries_total', 'deliveries')]),
      figure('Delivery latency, p99', 's', [quantile('delivery_seconds', 0.99, 'p99')], {
        steps: [
          ['green', null],
          ['orange', 0.1],
          ['red', 0.5],
        ],
      }),
      figure('Lagging sessions', 'short', [now('sessions_lagging', 'lagging')], {
        steps: [
          ['green', null],
          ['orange', 1],
        ],
      }),
      figure('Engine', 'short', [now('engine_up', 'up', 'min')], {
        max: 1,
        steps: [
          ['red', null],
          ['green', 1],
        ],
      }),
    ],
  },
  {
    title: 'Connections',
    panels: [
      stacked('Connections by transport', 'short', [now('connections', '{{transport}}')]),
      lines('Opened and closed per second', 'short', [
        perSecond('connections_total', 'opened'),
        perSecond('connections_closed_total', 'closed: {{reason}}'),
      ]),
      lines(
        'Refused per second',
        'short',
        [
          perSecond('connections_rejected_total', '{{reason}}'),
          perSecond('rate_limited_total', 'rate limited: {{scope}}'),
        ],
        { description: 'By error code; and by the rate limit that refused it.' },
      ),
      lines('Handshake', 's', quantiles('handshake_seconds')),
      lines('Round trip of clients', 's', quantiles('client_round_trip_seconds'), {
        description: 'As the clients measure it with their pings.',
      }),
      lines(
        'Subscriptions and views',
        'short',
        [now('subscriptions', 'subscriptions'), now('views', 'views'), now('topics', 'topics')],
        { description: 'The cost of fan-out grows with views, not with subscriptions.' },
      ),
    ],
  },
  {
    title: 'Throughput',
    panels: [
      lines('Publications per second', 'short', [
        perSecond('publications_total', 'committed'),
        perSecond('publish_duplicates_total', 'duplicates'),
        perSecond('publish_errors_total', 'refused'),
      ]),
      lines('Deliveries per second', 'short', [
        perSecond('deliveries_total', 'publications'),
        perSecond('frames_total', 'frames, once per view'),
      ]),
      lines('Commands per second', 'short', [perSecond('commands_total', '{{command}}')]),
      lines(
        'Bytes per second',
        'Bps',
        [
          perSecond('sent_bytes_total', 'sent to receivers'),
          perSecond('frame_bytes_total', 'framed: {{stage}}'),
        ],
        { description: 'plain: before compression; wire: after it.' },
      ),
      lines(
        'Compression',
        'percentunit',
        [{ query: `${wireBytes.query} / ${plainBytes.query}`, legend: 'wire / plain' }],
        { max: 1 },
      ),
      lines('Publications per batch', 'short', quantiles('batch_publications')),
    ],
  },
  {
    title: 'Latency',
    panels: [
      lines('Delivery', 's', quantiles('delivery_seconds'), {
        description: 'From the acceptance of a publication to the end of the drain that sent it.',
      }),
      lines('Canary', 's', quantiles('canary_seconds'), {
        description: 'From publish to receipt by the built-in client, over loopback.',
      }),
      lines('Publish', 's', [
        ...quantiles('publish_seconds'),
        quantile('engine_append_seconds', 0.99, 'engine, p99'),
      ]),
      lines('Flush', 's', quantiles('flush_seconds')),
      lines('HTTP by route, p99', 's', [quantile('http_request_seconds', 0.99, '{{route}}')]),
      lines('Event loop delay', 's', quantiles('event_loop_delay_seconds', ' {{instance}}')),
    ],
  },
  {
    title: 'Memory and rings',
    panels: [
      lines('Rings', 'bytes', [now('ring_bytes', 'bytes')]),
      lines('Publications in rings', 'short', [now('ring_publications', 'publications')]),
      lines('Evictions per second', 'short', [perSecond('ring_evictions_total', '{{reason}}')], {
        description: '"total" means that all rings together reached their limit: raise it, or keep less.',
      }),
      lines('Process memory', 'bytes', [
        { query: `process_resident_memory_bytes${chosen}`, legend: 'resident {{instance}}' },
        { query: `nodejs_heap_size_used_bytes${chosen}`, legend: 'heap {{instance}}' },
      ]),
      lines('CPU', 'percentunit', [
        { query: `rate(process_cpu_seconds_total${chosen}${span})`, legend: '{{instance}}' },
      ]),
    ],
  },
  {
    title: 'Slow clients',
    panels: [
      lines('Lagging sessions', 'short', [
        now('sessions_lagging', 'now'),
        added('sessions_lagging_total', 'began to lag'),
      ]),
      lines('Unsent bytes', 'bytes', [now('backpressure_bytes', 'backpressure')]),
      lines('Dropped frames per second', 'short', [perSecond('drops_total', 'dropped')], {
        description: 'Each is caught up from the ring, or named as missing.',
      }),
      stacked('Recoveries per second', 'short', [perSecond('recoveries_total', '{{outcome}}')], {
        description: '"gap": the ring had lost a part, and the client was told which.',
      }),
      lines('Heartbeat timeouts per second', 'short', [
        perSecond('heartbeat_timeouts_total', 'dead connections'),
      ]),
    ],
  },
  {
    title: 'Errors',
    panels: [
      lines('Failed commands per second', 'short', [perSecond('command_errors_total', '{{code}}')]),
      lines('Refused publishes per second', 'short', [perSecond('publish_errors_total', '{{code}}')]),
      lines('Failed authentication per second', 'short', [perSecond('auth_failures_total', '{{reason}}')]),
      stacked('HTTP by status, per second', 'short', [perSecond('http_requests_total', '{{status}}')]),
      lines('Sources', 'short', [perSecond('source_errors_total', '{{source}}')], {
        description: 'Failures of built-in sources, per second.',
      }),
    ],
  },
  {
    title: 'Application: hooks and events',
    panels: [
      stacked('Questions per second', 'ops', [observedPerSecond('hook_seconds', '{{hook}}')]),
      lines('Answers, p99', 's', [quantile('hook_seconds', 0.99, '{{hook}}')]),
      lines('Failures and refusals per second', 'ops', [
        perSecond('hook_errors_total', '{{hook}}: {{reason}}'),
        perSecond('hook_denials_total', '{{hook}}: refused'),
      ]),
      stacked('Questions asked or waiting', 'short', [now('hooks_waiting', '{{hook}}')]),
      lines('Events per second', 'ops', [
        perSecond('events_total', 'acknowledged'),
        perSecond('events_dropped_total', 'dropped'),
        perSecond('event_batch_errors_total', 'failed batches'),
      ]),
      lines('Events not acknowledged yet', 'bytes', [now('event_queue_bytes', 'bytes')]),
    ],
  },
  {
    title: 'Processes, gateways, access',
    panels: [
      lines('Workers and gateways', 'short', [
        now('workers', 'workers'),
        now('gateways', 'gateways that share the engine', 'max'),
        now('draining', 'processes that drain'),
      ]),
      lines('Workers that were replaced', 'short', [added('worker_exits_total', 'workers')]),
      lines('Engine', 'short', [
        now('engine_up', '{{instance}} up', 'min'),
        perSecond('engine_retries_total', 'appends tried again, per second'),
      ]),
      lines('Revocations', 'short', [
        now('revocations', 'revoked tokens and users', 'max'),
        perSecond('auth_failures_total', 'refused per second', 'reason="token_revoked"'),
      ]),
      stacked('Uses of API keys per second', 'ops', [perSecond('api_key_uses_total', '{{api_key}}')]),
      lines('Connections without a credential yet', 'short', [
        now('connections_unauthenticated', 'connections'),
      ]),
    ],
  },
  {
    title: 'What is held',
    panels: [
      lines('HTTP connections', 'short', [now('http_connections', 'connections')]),
      stacked('HTTP bodies and responses', 'bytes', [now('http_held_bytes', '{{what}}')]),
      lines('Messages and commands that wait', 'bytes', [
        now('waiting_message_bytes', 'messages'),
        now('pending_command_bytes', 'commands'),
        now('pattern_backlog_bytes', 'patterns'),
      ]),
      lines('Presence', 'bytes', [now('presence_bytes', 'members')]),
      lines('Message ids', 'bytes', [now('message_id_bytes', 'message ids')]),
      lines('Members not listed, and inboxes', 'short', [
        added('presence_unlisted_total', 'members not listed'),
        now('acknowledged_positions', 'acknowledged positions'),
      ]),
    ],
  },
  {
    title: 'Work that is shared',
    panels: [
      lines('Deflated batches and refreshes per second', 'ops', [
        perSecond('deflates_total', 'deflated batches'),
        perSecond('refreshes_total', 'refreshes'),
      ]),
      lines('Shared catch-up pages per second', 'ops', [
        perSecond('shared_pages_total', 'framed'),
        perSecond('shared_page_deflates_total', 'deflated'),
      ]),
      stacked('Dictionaries per second', 'ops', [perSecond('dictionary_trials_total', '{{outcome}}')]),
      stacked('Refused subscriptions per second', 'ops', [
        perSecond('subscription_errors_total', '{{code}}'),
      ]),
      lines('Time until the certificate expires', 's', [
        {
          query: `min by (instance) (${selected('certificate_expiry_timestamp_seconds')} > 0) - time()`,
          legend: '{{instance}}',
        },
      ]),
    ],
  },
];

import {
  collectDefaultMetrics,
  Counter as PromCounter,
  Gauge as PromGauge,
  Histogram as PromHistogram,
  Registry,
} from 'prom-client';

/** Label -> its values where they are a closed set (then counters start at 0), or `open`. */
type LabelSpec = Readonly<Record<string, readonly string[] | 'open'>>;

interface Spec<T extends 'counter' | 'net' | 'gauge' | 'histogram', S extends LabelSpec> {
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
/** For work of this process alone, most of which takes microseconds. */
const work = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, ...latency];
const counts = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

const transports = { transport: ['websocket', 'sse', 'poll'] } as const;

/**
 * Every metric, without the prefix `sluice_`. Base units. No topic, user or id is ever a label: their number is
 * unbounded. Gauges of what an owner holds anyway are set by it in an `onScrape` callback.
 */
const table = {
  connections: gauge('Open connections.', transports),
  connections_total: counter('Connections that were accepted.', transports),
  connections_rejected_total: counter('Connections that were refused, by error code.', { reason: 'open' }),
  connections_closed_total: counter('Connections that ended, by close code or "client".', { reason: 'open' }),
  handshake_seconds: histogram('From the upgrade request to the greeting.', latency),
  heartbeat_timeouts_total: counter('Connections that were dead: neither message nor pong in time.'),
  client_round_trip_seconds: histogram('Round trip of a ping, as clients report it.', latency),

  commands_total: counter('Commands of clients.', { command: 'open' }),
  command_errors_total: counter('Commands that were answered by an error.', { code: 'open' }),
  rate_limited_total: counter('Refusals by a token bucket.', {
    scope: ['handshake', 'command', 'publish', 'http'],
  }),
  auth_failures_total: counter('Tokens, keys and origins that were refused, by error code.', {
    reason: 'open',
  }),

  publications_total: counter('Publications that the engine has committed.'),
  publish_errors_total: counter('Publishes that were refused or failed.', { code: 'open' }),
  publish_duplicates_total: counter('Publishes whose messageId was seen before.'),
  publish_seconds: histogram('From a publish to its acknowledgement.', work),
  engine_append_seconds: histogram('What the engine takes to commit.', work),
  engine_retries_total: counter('Publications that were given to the engine once more.'),
  engine_up: gauge('1 while the engine accepts publications.'),

  deliveries_total: net(
    'Publications handed to receivers, less what was dropped, or unsent when a session ended.',
  ),
  frames_total: counter('Batches that were framed: once per view, not per receiver.'),
  frame_bytes_total: counter('Their bytes, before (plain) and after (wire) compression.', {
    stage: ['plain', 'wire'],
  }),
  deflates_total: counter('Batches that were deflated: at most once per view.'),
  dictionary_trials_total: counter(
    'Dictionaries that were made: the first of a view, in the place of an older one, or not worth announcing.',
    { outcome: ['first', 'rotated', 'rejected'] },
  ),
  sent_bytes_total: counter('Bytes of messages handed to connections.'),
  batch_publications: histogram('Publications per batch.', counts),
  flush_seconds: histogram(
    'What a flush takes: filter, frame, compress, publish to all views of a topic.',
    work,
  ),
  delivery_seconds: histogram(
    'From the acceptance of a publication to the end of the drain that sent it.',
    latency,
  ),
  canary_seconds: histogram('From publish to receipt by the built-in client, over loopback.', latency),

  drops_total: counter('Frames that sessions lost to backpressure; catch-up sends their publications again.'),
  sessions_lagging: gauge('Sessions that read too slowly and get no live batches.'),
  sessions_lagging_total: counter('How often a session began to lag.'),
  recoveries_total: counter('Catch-ups and subscriptions with `since`, by what they got.', {
    outcome: ['recovered', 'snapshot', 'gap', 'none'],
  }),
  backpressure_bytes: gauge('Unsent bytes of all sessions.'),

  topics: gauge('Topics.'),
  views: gauge('Views.'),
  subscriptions: gauge('Subscriptions of all sessions.'),
  ring_publications: gauge('Publications in all rings.'),
  ring_bytes: gauge('Bytes of all rings.'),
  ring_evictions_total: counter('Publications that left a ring, by the limit that they hit.', {
    reason: ['count', 'age', 'bytes', 'total', 'ttl'],
  }),

  source_errors_total: counter('Failures of built-in sources.', { source: 'open' }),
  http_requests_total: counter('HTTP requests, by route pattern and status.', {
    route: 'open',
    status: 'open',
  }),
  http_request_seconds: histogram('HTTP requests.', latency, { route: 'open' }),
} as const;

const prefix = 'sluice_';

type Table = typeof table;
type MetricName = keyof Table;
type LabelsOf<S> = { readonly [L in keyof S]: S[L] extends readonly string[] ? S[L][number] : string };
type Labelled<S, Bare, WithLabels> = keyof S extends never ? Bare : WithLabels;
type Camel<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : S;

export interface BareCounter {
  inc(value?: number): void;
}
/** `labels` gives a counter of one combination; keep it where increments are frequent. */
export interface LabelledCounter<L> {
  inc(labels: L, value?: number): void;
  labels(labels: L): BareCounter;
}
/** A counter that can take back what it counted too early. It never goes down: it waits until it is right again. */
export interface NetCounter extends BareCounter {
  retract(value: number): void;
}
export interface BareGauge {
  set(value: number): void;
  inc(value?: number): void;
  dec(value?: number): void;
}
export interface LabelledGauge<L> {
  set(labels: L, value: number): void;
  inc(labels: L, value?: number): void;
  dec(labels: L, value?: number): void;
}
/** Seconds, or what the name says. */
export interface BareHistogram {
  observe(value: number): void;
}
export interface LabelledHistogram<L> {
  observe(labels: L, value: number): void;
}

type Instrument<M> =
  M extends Spec<infer T, infer S>
    ? {
        counter: Labelled<S, BareCounter, LabelledCounter<LabelsOf<S>>>;
        net: NetCounter;
        gauge: Labelled<S, BareGauge, LabelledGauge<LabelsOf<S>>>;
        histogram: Labelled<S, BareHistogram, LabelledHistogram<LabelsOf<S>>>;
      }[T]
    : never;

type Instruments = { readonly [N in MetricName as Camel<N>]: Instrument<Table[N]> };

export type Metrics = Instruments & {
  /** Its `metrics()` is the answer to a scrape; it runs the `onScrape` callbacks first. */
  readonly registry: Registry;
  /** Runs at each scrape, to set gauges from what their owner holds. Returns how to end it. */
  onScrape(collect: () => void): () => void;
};

/** A row of the table as README and dashboard test use it. */
export interface MetricRow {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

export const metricRows: readonly MetricRow[] = Object.entries(table).map(([name, spec]) => ({
  name: `${prefix}${name}`,
  type: spec.type === 'net' ? 'counter' : spec.type,
  help: spec.help,
  labels: Object.keys(spec.labels),
}));

class ScrapedRegistry extends Registry {
  readonly collectors = new Set<() => void>();

  override metrics(): Promise<string> {
    for (const collect of this.collectors) collect();
    return super.metrics();
  }
}

/**
 * The metrics of one gateway, in a registry of its own. `processMetrics`: also CPU, memory, garbage collection and
 * event loop delay of this process.
 */
export function createMetrics(options: { readonly processMetrics?: boolean } = {}): Metrics {
  const registry = new ScrapedRegistry();
  if (options.processMetrics ?? true) collectDefaultMetrics({ register: registry });
  const instruments = Object.entries(table).map(([name, spec]) => [
    camel(name),
    instrument(name, spec, registry),
  ]);
  return {
    ...(Object.fromEntries(instruments) as Instruments),
    registry,
    onScrape(collect) {
      registry.collectors.add(collect);
      return () => registry.collectors.delete(collect);
    },
  };
}

function camel(name: string): string {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

function instrument(name: string, spec: Table[MetricName], registry: Registry): unknown {
  const common = {
    name: `${prefix}${name}`,
    help: spec.help,
    labelNames: Object.keys(spec.labels),
    registers: [registry],
  };
  if (spec.type === 'gauge') return new PromGauge(common);
  if (spec.type === 'histogram') return new PromHistogram({ ...common, buckets: [...spec.buckets!] });
  const made = new PromCounter(common);
  // A series that begins at its first increment hides that increment from rate().
  for (const [label, values] of Object.entries<readonly string[] | 'open'>(spec.labels)) {
    if (values !== 'open' && common.labelNames.length === 1) {
      for (const value of values) made.inc({ [label]: value }, 0);
    }
  }
  return spec.type === 'net' ? netCounter(made) : made;
}

function netCounter(made: BareCounter): NetCounter {
  let owed = 0;
  return {
    inc(value = 1) {
      const paid = Math.min(owed, value);
      owed -= paid;
      if (value > paid) made.inc(value - paid);
    },
    retract(value) {
      owed += value;
    },
  };
}

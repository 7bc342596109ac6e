import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { type LabelSpec, type Spec, table } from './metrics/table.ts';
import { type Labels, TalliedCounter, TalliedHistogram } from './metrics/tally.ts';

const prefix = 'sluice_';

type Table = typeof table;
type MetricName = keyof Table;
type LabelsOf<S> = { readonly [L in keyof S]: S[L] extends readonly string[] ? S[L][number] : string };
type Labelled<S, Bare, WithLabels> = keyof S extends never ? Bare : WithLabels;
type Camel<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<Camel<Tail>>}`
  : S;

export interface BareCounter {
  readonly value: number;
  inc(value?: number): void;
}
export interface LabelledCounter<L> {
  /** The sum over all labels. */
  readonly value: number;
  inc(labels: L, value?: number): void;
  /** The counter of one combination, always the same; keep it on hot paths. */
  labels(labels: L): BareCounter;
}
/** A counter that can take back what it counted too early. Its value never falls: later increments make up for it. */
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
/** In the unit that the name ends in. */
export interface BareHistogram {
  observe(value: number): void;
}
export interface LabelledHistogram<L> {
  /** The histogram of one combination, always the same; keep it on hot paths. */
  labels(labels: L): BareHistogram;
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
  /** Its `metrics()` and `getMetricsAsJSON()` are a scrape: they run the `onScrape` callbacks before. */
  readonly registry: Registry;
  /** Calls `collect` at each scrape, to set gauges from what their owner holds. Returns a function that ends this. */
  onScrape(collect: () => void): () => void;
};

/** A row of the table, for the reference page and the tests. */
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

  override getMetricsAsJSON(): ReturnType<Registry['getMetricsAsJSON']> {
    for (const collect of this.collectors) collect();
    return super.getMetricsAsJSON();
  }
}

/** prom-client's default metrics of this process, without those of the event loop: see `loop-delay.ts`. */
function registerProcessMetrics(registry: Registry): void {
  const defaults = new Registry();
  // prom-client always starts its event loop monitor; this makes it wake rarely.
  collectDefaultMetrics({ register: defaults, eventLoopMonitoringPrecision: 60_000 });
  for (const { name } of defaults.getMetricsAsArray()) {
    const metric = defaults.getSingleMetric(name);
    if (metric !== undefined && !isLeftOut(name)) registry.registerMetric(metric);
  }
}

/**
 * Event loop lag has a histogram of our own. The gauges named `_total` break the naming rules and only sum up others.
 */
function isLeftOut(name: string): boolean {
  return name.startsWith('nodejs_eventloop_lag') || /^nodejs_active_\w+_total$/.test(name);
}

/**
 * The metrics of one gateway, in a registry of their own. `processMetrics` (default true) adds CPU, memory and garbage
 * collection of this process.
 */
export function createMetrics(options: { readonly processMetrics?: boolean } = {}): Metrics {
  const registry = new ScrapedRegistry();
  if (options.processMetrics ?? true) registerProcessMetrics(registry);
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
  const fullName = `${prefix}${name}`;
  const { help } = spec;
  const labelNames = Object.keys(spec.labels);
  const isBare = labelNames.length === 0;
  if (spec.type === 'gauge') return new Gauge({ name: fullName, help, labelNames, registers: [registry] });
  const options = { name: fullName, help, labelNames, registry };
  if (spec.type === 'histogram') {
    const histogram = new TalliedHistogram({ ...options, buckets: spec.buckets! });
    return isBare ? histogram.tally({}) : { labels: (labels: Labels) => histogram.tally(labels) };
  }
  const counter = new TalliedCounter(options);
  if (isBare) return spec.type === 'net' ? new NetTally(counter.tally({})) : counter.tally({});
  startAtZero(counter, spec.labels);
  return new LabelledTallies(counter);
}

/** A series that begins at its first increment hides that increment from rate(). */
function startAtZero(counter: TalliedCounter, labels: LabelSpec): void {
  const [[label, values] = ['', 'open'], ...others] = Object.entries(labels);
  if (others.length > 0 || values === 'open') return;
  for (const value of values) counter.tally({ [label]: value });
}

class LabelledTallies implements LabelledCounter<Labels> {
  readonly #counter: TalliedCounter;

  constructor(counter: TalliedCounter) {
    this.#counter = counter;
  }

  get value(): number {
    return this.#counter.value;
  }

  inc(labels: Labels, value?: number): void {
    this.#counter.tally(labels).inc(value);
  }

  labels(labels: Labels): BareCounter {
    return this.#counter.tally(labels);
  }
}

class NetTally implements NetCounter {
  readonly #counter: BareCounter;
  #owed = 0;

  constructor(counter: BareCounter) {
    this.#counter = counter;
  }

  get value(): number {
    return this.#counter.value;
  }

  inc(value = 1): void {
    const paid = Math.min(this.#owed, value);
    this.#owed -= paid;
    if (value > paid) this.#counter.inc(value - paid);
  }

  retract(value: number): void {
    this.#owed += value;
  }
}

import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { type Spec, table } from './metrics/table.ts';
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
  inc(value?: number): void;
}
/** `labels` gives the counter of one combination, always the same; keep it where increments are frequent. */
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
  /** The histogram of one combination, always the same; keep it where observations are frequent. */
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

/** prom-client's own of this process. Not those of the event loop: see `loop-delay.ts`. */
function registerProcessMetrics(registry: Registry): void {
  const defaults = new Registry();
  // Its monitor can't be left out, but it can be slow.
  collectDefaultMetrics({ register: defaults, eventLoopMonitoringPrecision: 60_000 });
  for (const { name } of defaults.getMetricsAsArray()) {
    const metric = defaults.getSingleMetric(name);
    if (metric !== undefined && !isLeftOut(name)) registry.registerMetric(metric);
  }
}

/** The lag has a histogram of its own; gauges that end in `_total` are sums of ones that stay, and misnamed. */
function isLeftOut(name: string): boolean {
  return name.startsWith('nodejs_eventloop_lag') || /^nodejs_active_\w+_total$/.test(name);
}

/** The metrics of one gateway, in a registry of its own. `processMetrics`: also CPU, memory and garbage collection of this process. */
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
  if (spec.type === 'gauge') return new Gauge({ name: fullName, help, labelNames, registers: [registry] });
  if (spec.type === 'histogram') {
    const made = new TalliedHistogram({
      name: fullName,
      help,
      labelNames,
      buckets: spec.buckets!,
      registry,
    });
    return labelNames.length === 0 ? made.tally({}) : { labels: (labels: Labels) => made.tally(labels) };
  }
  const made = new TalliedCounter({ name: fullName, help, labelNames, registers: [registry] });
  if (labelNames.length === 0) return spec.type === 'net' ? netCounter(made.tally({})) : made.tally({});
  // A series that begins at its first increment hides that increment from rate().
  for (const [label, values] of Object.entries<readonly string[] | 'open'>(spec.labels)) {
    if (values !== 'open' && labelNames.length === 1) {
      for (const value of values) made.inc({ [label]: value }, 0);
    }
  }
  return {
    inc: (labels: Labels, value?: number) => made.inc(labels, value),
    labels: (labels: Labels) => made.tally(labels),
  };
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

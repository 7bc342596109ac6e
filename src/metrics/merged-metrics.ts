import { AggregatorRegistry, type MetricObject, type Registry } from 'prom-client';

/** The metrics of one process. */
export type MetricValues = readonly MetricObject[];

/** Metrics of topics, which all processes share: the first process reports them for all. */
const saidByOne: ReadonlySet<string> = new Set([
  'sluice_publications_total',
  'sluice_ring_evictions_total',
  'sluice_topics',
  'sluice_ring_publications',
  'sluice_ring_bytes',
  'sluice_message_id_bytes',
  'sluice_acknowledged_positions',
  'sluice_engine_up',
]);

/** Metrics that only grow: those of a process that has ended still count. */
const lasting: ReadonlySet<unknown> = new Set(['counter', 'histogram']);

/** Adds up the metrics of the processes of one gateway. Counts of ended processes are kept. */
export class MergedMetrics {
  #ended: MetricValues = [];
  readonly #last = new Map<string, MetricValues>();

  /** What this process says now. */
  heard(process: string, values: MetricValues): void {
    this.#last.set(process, values);
  }

  /** The process has ended: its counts, as it last reported them, are kept. */
  ended(process: string): void {
    const counts = (this.#last.get(process) ?? []).filter(({ type }) => lasting.has(type));
    this.#last.delete(process);
    // Added up, so that the size does not grow with the number of ended processes.
    this.#ended = merged([this.#ended, counts]).getMetricsAsArray();
  }

  /** A scrape. `first`: the metrics of the process that reports for all. */
  async text(first: MetricValues): Promise<{ readonly contentType: string; readonly body: string }> {
    const named = first.map((metric) =>
      saidByOne.has(metric.name) ? { ...metric, aggregator: 'first' as const } : metric,
    );
    const registry = merged([named, ...this.#last.values(), this.#ended]);
    return { contentType: registry.contentType, body: await registry.metrics() };
  }
}

function merged(values: readonly MetricValues[]): Registry {
  return AggregatorRegistry.aggregate(values as object[][]);
}

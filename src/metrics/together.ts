import { AggregatorRegistry, type MetricObject, type Registry } from 'prom-client';

/** The metrics of one process. */
export type MetricValues = readonly MetricObject[];

/** What every process would count, as all have the same topics: the first one says it for all. */
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

/** What only grows: of a process that has ended it still counts. */
const lasting: ReadonlySet<unknown> = new Set(['counter', 'histogram']);

/** The metrics of the processes of one gateway. What those counted that have ended is not lost. */
export class MetricsTogether {
  #ended: MetricValues = [];
  readonly #last = new Map<string, MetricValues>();

  /** What this process says now. */
  heard(process: string, values: MetricValues): void {
    this.#last.set(process, values);
  }

  /** It has ended: what it counted until it was heard last goes on to count. */
  ended(process: string): void {
    const counted = (this.#last.get(process) ?? []).filter(({ type }) => lasting.has(type));
    this.#last.delete(process);
    // One of each, however many have ended.
    this.#ended = together([this.#ended, counted]).getMetricsAsArray();
  }

  /** A scrape. `first`: of the process that says what all would say alike. */
  async text(first: MetricValues): Promise<{ readonly contentType: string; readonly body: string }> {
    const named = first.map((metric) =>
      saidByOne.has(metric.name) ? { ...metric, aggregator: 'first' as const } : metric,
    );
    const registry = together([named, ...this.#last.values(), this.#ended]);
    return { contentType: registry.contentType, body: await registry.metrics() };
  }
}

function together(values: readonly MetricValues[]): Registry {
  return AggregatorRegistry.aggregate(values as object[][]);
}

import type { table } from '../../metrics/table.ts';

type Table = typeof table;
type NameOf<T extends string> = {
  [N in keyof Table]: Table[N]['type'] extends T ? N : never;
}[keyof Table];
export type CounterName = NameOf<'counter' | 'net'>;
export type GaugeName = NameOf<'gauge'>;
export type HistogramName = NameOf<'histogram'>;

/** A line of a panel: a query in PromQL, and its legend, in which `{{label}}` is the value of a label. */
export interface Target {
  readonly query: string;
  readonly legend: string;
}

/** Of the instances that are chosen in the dashboard. */
export const chosen = '{instance=~"$instance"}';
export const span = '[$__rate_interval]';

export function selected(name: string, matcher?: string): string {
  return `sluice_${name}${matcher === undefined ? chosen : chosen.replace('}', `, ${matcher}}`)}`;
}

/** The aggregation that keeps the labels that the legend names. */
function grouped(how: string, legend: string, what: string, ...kept: readonly string[]): string {
  const labels = [...kept, ...[...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label)];
  return labels.length === 0 ? `${how}(${what})` : `${how} by (${labels.join(', ')}) (${what})`;
}

export function perSecond(name: CounterName, legend: string, matcher?: string): Target {
  return { legend, query: grouped('sum', legend, `rate(${selected(name, matcher)}${span})`) };
}

/** How many came in the interval of one point. */
export function added(name: CounterName, legend: string): Target {
  return { legend, query: grouped('sum', legend, `increase(${selected(name)}${span})`) };
}

export function now(name: GaugeName, legend: string, how: 'sum' | 'min' | 'max' = 'sum'): Target {
  return { legend, query: grouped(how, legend, selected(name)) };
}

export function observedPerSecond(name: HistogramName, legend: string): Target {
  return { legend, query: grouped('sum', legend, `rate(${selected(`${name}_count`)}${span})`) };
}

export function quantile(name: HistogramName, fraction: number, legend: string): Target {
  const buckets = grouped('sum', legend, `rate(${selected(`${name}_bucket`)}${span})`, 'le');
  return { legend, query: `histogram_quantile(${fraction}, ${buckets})` };
}

export function quantiles(name: HistogramName, suffix = ''): Target[] {
  return [quantile(name, 0.5, `p50${suffix}`), quantile(name, 0.99, `p99${suffix}`)];
}

import { type MetricRow, metricRows } from '../metrics.ts';
import { lines, type Panel, type Section, type Unit } from './dashboard/panel.ts';
import {
  type CounterName,
  type GaugeName,
  type HistogramName,
  now,
  perSecond,
  quantiles,
  type Target,
} from './dashboard/queries.ts';
import { sections } from './dashboard/sections.ts';

/** The dashboard that this writes, relative to the repository. */
export const dashboardPath = 'grafana/dashboard.json';

/** The variable of the dashboard by which its viewer chooses a Prometheus. */
const datasource = { type: 'prometheus', uid: '$datasource' };

const dashboard = {
  title: 'Sluice',
  uid: 'sluice',
  description: 'The push gateway: who is connected, what goes through, how fast, and what goes wrong.',
  tags: ['sluice'],
  editable: true,
  graphTooltip: 1,
  schemaVersion: 39,
  version: 1,
  refresh: '10s',
  time: { from: 'now-1h', to: 'now' },
  timezone: 'browser',
  templating: {
    list: [
      {
        name: 'datasource',
        label: 'Data source',
        type: 'datasource',
        query: 'prometheus',
        hide: 0,
        refresh: 1,
      },
      {
        name: 'instance',
        label: 'Instance',
        type: 'query',
        datasource,
        definition: 'label_values(sluice_engine_up, instance)',
        query: { query: 'label_values(sluice_engine_up, instance)', refId: 'instance' },
        includeAll: true,
        multi: true,
        current: { text: 'All', value: '$__all' },
        refresh: 2,
        sort: 1,
        hide: 0,
      },
    ],
  },
  annotations: { list: [] },
  links: [],
};

/** The dashboard for Grafana, in which every metric is shown. */
export function dashboardText(): string {
  const panels = placed([...sections, ...othersOf(metricRows, sections)]);
  return `${JSON.stringify({ ...dashboard, panels }, null, 2)}\n`;
}

/** A section with a panel for each metric that `shown` does not show. */
export function othersOf(metrics: readonly MetricRow[], shown: readonly Section[]): Section[] {
  const queries = shown.flatMap(({ panels }) =>
    panels.flatMap(({ targets }) => targets.map(({ query }) => query)),
  );
  const names = new Set(queries.join(' ').match(/\bsluice_[a-z_]+/g));
  const missing = metrics.filter(({ name }) => seriesOf(name).every((each) => !names.has(each)));
  if (missing.length === 0) return [];
  const panels = missing.map((metric) => {
    const { name, help } = metric;
    return lines(titleOf(metric), unitOf(name), targetsOf[metric.type](metric), { description: help });
  });
  return [{ title: 'Others', panels }];
}

function seriesOf(name: string): string[] {
  return ['', '_bucket', '_count', '_sum'].map((suffix) => name + suffix);
}

function titleOf({ name, type }: MetricRow): string {
  return type === 'counter' ? `${name} per second` : name;
}

function unitOf(name: string): Unit {
  if (name.endsWith('_seconds')) return 's';
  return name.endsWith('_bytes') ? 'bytes' : 'short';
}

const targetsOf: Readonly<Record<MetricRow['type'], (metric: MetricRow) => readonly Target[]>> = {
  counter: (metric) => [perSecond(bareName(metric) as CounterName, legendOf(metric))],
  gauge: (metric) => [now(bareName(metric) as GaugeName, legendOf(metric))],
  histogram: (metric) => quantiles(bareName(metric) as HistogramName),
};

function bareName({ name }: MetricRow): string {
  return name.replace(/^sluice_/, '');
}

function legendOf({ name, labels }: MetricRow): string {
  return labels.length === 0 ? name : labels.map((label) => `{{${label}}}`).join(': ');
}

interface Box {
  readonly h: number;
  readonly w: number;
}

const dashboardWidth = 24;
const headingBox: Box = { h: 1, w: dashboardWidth };
const figureBox: Box = { h: 4, w: 4 };
const linesBox: Box = { h: 8, w: 8 };

/** The sections one below the other, their panels from left to right. */
function placed(all: readonly Section[]): object[] {
  const panels: object[] = [];
  let [x, y, bottom] = [0, 0, 0];
  const place = ({ h, w }: Box, panel: object) => {
    if (x + w > dashboardWidth) [x, y] = [0, bottom];
    panels.push({ id: panels.length + 1, ...panel, gridPos: { h, w, x, y } });
    bottom = Math.max(bottom, y + h);
    x += w;
  };
  for (const section of all) {
    [x, y] = [0, bottom];
    place(headingBox, { type: 'row', title: section.title, collapsed: false, panels: [] });
    for (const panel of section.panels) place(panel.kind === 'figure' ? figureBox : linesBox, panelOf(panel));
  }
  return panels;
}

function panelOf({ kind, title, unit, targets, description, max, steps }: Panel): object {
  const isFigure = kind === 'figure';
  const thresholds = steps && {
    mode: 'absolute',
    steps: steps.map(([color, value]) => ({ color, value })),
  };
  const custom = {
    lineWidth: 1,
    fillOpacity: kind === 'stacked' ? 30 : 10,
    showPoints: 'never',
    spanNulls: false,
    ...(kind === 'stacked' ? { stacking: { mode: 'normal', group: 'A' } } : {}),
  };
  return {
    type: isFigure ? 'stat' : 'timeseries',
    title,
    description,
    datasource,
    fieldConfig: {
      defaults: { unit, min: 0, max, ...(isFigure ? { thresholds } : { custom }) },
      overrides: [],
    },
    targets: targets.map(({ query: expr, legend: legendFormat }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource,
      expr,
      legendFormat,
    })),
    options: isFigure ? figureOptions : linesOptions,
  };
}

const figureOptions = {
  reduceOptions: { calcs: ['lastNotNull'] },
  colorMode: 'value',
  graphMode: 'area',
};

const linesOptions = {
  legend: { displayMode: 'list', placement: 'bottom' },
  tooltip: { mode: 'multi', sort: 'desc' },
};

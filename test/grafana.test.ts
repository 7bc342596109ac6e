import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { sections } from '../src/docs/dashboard/sections.ts';
import { dashboardPath, dashboardText, othersOf } from '../src/docs/dashboard.ts';
import { createMetrics, metricRows } from '../src/metrics.ts';
import { newFile } from './support/temporary.ts';

interface Box {
  readonly h: number;
  readonly w: number;
  readonly x: number;
  readonly y: number;
}
interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: Box;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const text = readFileSync(new URL(`../${dashboardPath}`, import.meta.url), 'utf8');
const { panels } = JSON.parse(text) as { readonly panels: readonly Panel[] };
const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

/** What a scrape shows: of a histogram three series. */
const series = new Map(
  metricRows.flatMap(({ name, type, labels }) =>
    type === 'histogram'
      ? ['_bucket', '_sum', '_count'].map((suffix) => [`${name}${suffix}`, [...labels, 'le']] as const)
      : [[name, labels] as const],
  ),
);

describe('the Grafana dashboard', () => {
  test('is fresh: `npm run docs` writes it', () => {
    expect(text).toBe(dashboardText());
  });

  test('asks only for metrics that exist', () => {
    const processNames = createMetrics()
      .registry.getMetricsAsArray()
      .map(({ name }) => name);
    const names = new Set(text.match(/\b(sluice|nodejs|process)_[a-z0-9_]+/g));
    expect([...names].filter((name) => !series.has(name) && !processNames.includes(name))).toEqual([]);
    expect(names.size).toBeGreaterThan(30);
  });

  test('shows every metric', () => {
    const shown = new Set(expressions.flatMap((expression) => expression.match(/\bsluice_[a-z_]+/g) ?? []));
    const suffixes = ['', '_bucket', '_count', '_sum'];
    const missing = metricRows.filter(({ name }) => !suffixes.some((suffix) => shown.has(name + suffix)));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });

  test('gets a panel for each metric that its sections leave out', () => {
    const counter = {
      name: 'sluice_refunds_total',
      type: 'counter',
      help: 'Refunds.',
      labels: ['why'],
    } as const;
    const gauge = { name: 'sluice_refund_bytes', type: 'gauge', help: 'Bytes.', labels: [] } as const;
    const histogram = {
      name: 'sluice_refund_seconds',
      type: 'histogram',
      help: 'Time.',
      labels: [],
    } as const;
    const shown = [...sections, ...othersOf(metricRows, sections)];
    const [others, ...more] = othersOf([...metricRows, counter, gauge, histogram], shown);
    expect(more).toEqual([]);
    expect(
      others?.panels.map(({ title, unit, description, targets }) => [title, unit, description, targets[0]]),
    ).toEqual([
      [
        'sluice_refunds_total per second',
        'short',
        'Refunds.',
        {
          query: 'sum by (why) (rate(sluice_refunds_total{instance=~"$instance"}[$__rate_interval]))',
          legend: '{{why}}',
        },
      ],
      [
        'sluice_refund_bytes',
        'bytes',
        'Bytes.',
        { query: 'sum(sluice_refund_bytes{instance=~"$instance"})', legend: 'sluice_refund_bytes' },
      ],
      [
        'sluice_refund_seconds',
        's',
        'Time.',
        {
          query:
            'histogram_quantile(0.5, sum by (le) (rate(sluice_refund_seconds_bucket{instance=~"$instance"}[$__rate_interval])))',
          legend: 'p50',
        },
      ],
    ]);
    expect(othersOf(metricRows, sections)).toEqual([]);
  });

  test('asks in the language of Prometheus', () => {
    const rules = expressions.map((expression, index) => ({
      record: `panel_${index}`,
      expr: expression.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'),
    }));
    const file = newFile('rules.yml', JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    const { status, stderr } = spawnSync('promtool', ['check', 'rules', '--lint=none', file], {
      encoding: 'utf8',
    });
    expect([stderr, status]).toEqual(['', 0]);
  });

  test('uses only labels that its metrics have', () => {
    const wrong = expressions.flatMap((expression) => {
      const names = expression.match(/\bsluice_[a-z_]+/g) ?? [];
      const known = new Set(['instance', ...names.flatMap((name) => series.get(name) ?? [])]);
      const grouped = [...expression.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(', '));
      const matched = [...expression.matchAll(/([a-z_]+)=~?"/g)].map(([, label]) => label!);
      return [...grouped, ...matched]
        .filter((label) => !known.has(label))
        .map((label) => `${label}: ${expression}`);
    });
    expect(wrong).toEqual([]);
  });

  test('names in its legends only labels that the query keeps', () => {
    const targets = panels.flatMap(({ targets = [] }) => targets);
    const wrong = targets.filter(({ expr, legendFormat }) => {
      const used = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
      return (
        expr.includes('sum') && used.some((label) => !new RegExp(`by \\([^)]*\\b${label}\\b`).test(expr))
      );
    });
    expect(wrong).toEqual([]);
  });

  test('lays its panels out without an overlap', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { h, w, x, y } }) => {
      expect(x + w).toBeLessThanOrEqual(24);
      return Array.from({ length: h * w }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`);
    });
    expect(new Set(cells).size).toBe(cells.length);
  });
});

describe('the alerts for Prometheus', () => {
  const file = fileURLToPath(new URL('../grafana/alerts.yml', import.meta.url));
  const rules = readFileSync(file, 'utf8');

  test('are rules that Prometheus takes', () => {
    const { status, stderr } = spawnSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
    expect([stderr, status]).toEqual(['', 0]);
  });

  test('ask only for metrics that exist', () => {
    const names = new Set(rules.match(/\b(sluice)_[a-z0-9_]+/g));
    expect([...names].filter((name) => !series.has(name))).toEqual([]);
  });
});

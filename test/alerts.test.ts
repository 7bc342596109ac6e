import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { newFile } from './support/temporary.ts';

const file = fileURLToPath(new URL('../grafana/alerts.yml', import.meta.url));
interface Rule {
  readonly alert: string;
  readonly annotations: { readonly summary: string; readonly description: string; readonly runbook: string };
}
const { rules } = (parse(readFileSync(file, 'utf8')) as { groups: [{ rules: readonly Rule[] }] }).groups[0];
const names = rules.map(({ alert }) => alert);
const page = readFileSync(new URL('../src/OPERATIONS.md', import.meta.url), 'utf8');

/** Values of series by name and labels, in the notation of promtool: one every 30 s. */
type Series = Readonly<Record<string, string>>;

interface Case {
  readonly alert: string;
  readonly severity: 'page' | 'ticket';
  /** What is scraped where there is a cause, and where there is none. */
  readonly bad: Series;
  readonly good: Series;
  readonly summary: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A histogram of which all observations are at most `le`. */
const histogram = (name: string, le: string): Series =>
  Object.fromEntries(
    ['0.05', '0.25', '1', '+Inf'].map((bound) => [
      `${name}_bucket{instance="a",le="${bound}"}`,
      bound !== '+Inf' && Number(bound) < Number(le) ? '0x40' : '0+100x40',
    ]),
  );
const slow = (alert: string, severity: Case['severity'], metric: string, summary: string): Case => ({
  alert,
  severity,
  summary,
  bad: histogram(metric, '1'),
  good: histogram(metric, '0.05'),
});
const day = 86_400;
/** When the alerts are looked at. */
const atSeconds = 20 * 60;

const cases: readonly Case[] = [
  {
    alert: 'SluiceEngineAway',
    severity: 'page',
    bad: { 'sluice_engine_up{instance="a"}': '0x40' },
    good: { 'sluice_engine_up{instance="a"}': '1x40' },
    summary: 'Publishes fail on a. /readyz and the log say why.',
  },
  slow('SluiceEngineSlow', 'ticket', 'sluice_engine_append_seconds', 'Commits take 992.5ms (p99) on a.'),
  slow(
    'SluiceDeliverySlow',
    'page',
    'sluice_canary_seconds',
    'From publish to receipt it takes 992.5ms (p99) on a.',
  ),
  slow(
    'SluiceEventLoopBlocked',
    'ticket',
    'sluice_event_loop_delay_seconds',
    'The event loop is 992.5ms late (p99) on a.',
  ),
  {
    alert: 'SluiceRefusesConnections',
    severity: 'ticket',
    labels: { reason: 'too_many_connections' },
    bad: { 'sluice_connections_rejected_total{instance="a",reason="too_many_connections"}': '0+60x40' },
    good: { 'sluice_connections_rejected_total{instance="a",reason="unauthorized"}': '0+60x40' },
    summary: 'Connections are refused on a (too_many_connections). The log names who meets the limit.',
  },
  {
    alert: 'SluiceClientsLag',
    severity: 'ticket',
    bad: {
      'sluice_sessions_lagging{instance="a"}': '2x40',
      'sluice_connections{instance="a",transport="websocket"}': '10x40',
      'sluice_connections{instance="a",transport="sse"}': '5x40',
    },
    good: {
      'sluice_sessions_lagging{instance="a"}': '1x40',
      'sluice_connections{instance="a",transport="websocket"}': '10x40',
      'sluice_connections{instance="a",transport="sse"}': '5x40',
    },
    summary: '2 clients read too slowly on a.',
  },
  {
    alert: 'SluicePublicationsLost',
    severity: 'ticket',
    bad: { 'sluice_recoveries_total{instance="a",outcome="gap"}': '0+60x40' },
    good: { 'sluice_recoveries_total{instance="a",outcome="recovered"}': '0+60x40' },
    summary: 'Clients of a come back later than histories reach, and are told what they missed.',
  },
  {
    alert: 'SluiceHookFails',
    severity: 'page',
    labels: { hook: 'connect', reason: 'timeout' },
    bad: { 'sluice_hook_errors_total{instance="a",hook="connect",reason="timeout"}': '0+6x40' },
    good: { 'sluice_hook_errors_total{instance="a",hook="connect",reason="timeout"}': '0+1x40' },
    summary: 'The application does not answer the hook connect (timeout).',
  },
  {
    alert: 'SluiceEventsDropped',
    severity: 'ticket',
    bad: { 'sluice_events_dropped_total{instance="a"}': '0x30 100x10' },
    good: { 'sluice_events_dropped_total{instance="a"}': '100x40' },
    summary: 'The application did not take events in time. The next batch says resync.',
  },
  {
    alert: 'SluiceFilesNearLimit',
    severity: 'ticket',
    bad: { 'process_open_fds{instance="a"}': '900x40', 'process_max_fds{instance="a"}': '1000x40' },
    good: { 'process_open_fds{instance="a"}': '800x40', 'process_max_fds{instance="a"}': '1000x40' },
    summary: 'a has 90% of its files open.',
  },
  {
    alert: 'SluiceCertificateExpires',
    severity: 'ticket',
    bad: {
      'sluice_certificate_expiry_timestamp_seconds{instance="a"}': `${atSeconds + 5 * day}x40`,
      'sluice_certificate_expiry_timestamp_seconds{instance="without"}': '0x40',
    },
    good: { 'sluice_certificate_expiry_timestamp_seconds{instance="a"}': `${atSeconds + 8 * day}x40` },
    summary: 'The certificate of a expires in 5d 0h 0m 0s.',
  },
  {
    alert: 'SluiceWorkerRestarts',
    severity: 'ticket',
    bad: { 'sluice_worker_exits_total{instance="a"}': '0x30 3x10' },
    good: { 'sluice_worker_exits_total{instance="a"}': '0x30 1x10' },
    summary: 'Worker processes of a end by themselves.',
  },
];

/** Each case with its cause, and without it. */
const ruleTests = cases.flatMap(({ alert, severity, bad, good, labels, summary }) => {
  const annotations = rules.find((rule) => rule.alert === alert)?.annotations;
  const fires = {
    exp_labels: { severity, instance: 'a', ...labels },
    exp_annotations: { ...annotations, summary },
  };
  const looked = (series: Series, expected: readonly object[]) => ({
    interval: '30s',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    alert_rule_test: [{ eval_time: `${atSeconds}s`, alertname: alert, exp_alerts: expected }],
  });
  return [looked(bad, [fires]), looked(good, [])];
});

describe('the alerts for Prometheus', () => {
  test('are all in the table', () => {
    expect(cases.map(({ alert }) => alert).sort()).toEqual([...names].sort());
  });

  test('are all named among the incidents of the page for operators', () => {
    expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });

  test.each(rules)('$alert says what to do first, and where there is more', ({ annotations }) => {
    expect(annotations.description).toMatch(/^First /);
    const [path, heading] = annotations.runbook.split('#') as [string, string];
    expect(path).toBe('src/OPERATIONS.md');
    expect(page).toMatch(new RegExp(`^## ${heading.replaceAll('-', ' ')}$`, 'im'));
  });

  test('fire where there is a cause, and do not where there is none', () => {
    const path = newFile(
      'tests.yml',
      JSON.stringify({ rule_files: [file], evaluation_interval: '30s', tests: ruleTests }),
    );
    const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', path], { encoding: 'utf8' });
    // It names the alerts that are wrong.
    expect(status === 0 ? '' : stdout + stderr).toBe('');
  });
});

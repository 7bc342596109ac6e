import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync, Visitor } from 'oxc-parser';
import { Histogram, Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { RecentDelays, watchLoopDelay } from '../src/metrics/loop-delay.ts';
import { table } from '../src/metrics/table.ts';
import { TalliedCounter, TalliedHistogram } from '../src/metrics/tally.ts';
import { createMetrics, metricRows } from '../src/metrics.ts';

const own = () => createMetrics({ processMetrics: false });

/** Names and texts in the source of all other stages. */
function usesOfMetrics(): { readonly names: ReadonlySet<string>; readonly texts: ReadonlySet<string> } {
  const names = new Set<string>();
  const texts = new Set<string>();
  const src = fileURLToPath(new URL('../src', import.meta.url));
  const paths = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts') && !path.startsWith('metrics'))
    .filter((path) => !path.startsWith('web') && !path.startsWith('client'));
  for (const path of paths) {
    const { program } = parseSync(path, readFileSync(join(src, path), 'utf8'));
    new Visitor({
      MemberExpression: ({ property }) => void ('name' in property && names.add(String(property.name))),
      Property: ({ key, value }) =>
        void (value.type === 'Identifier' && 'name' in key && names.add(String(key.name))),
      Literal: ({ value }) => void (typeof value === 'string' && texts.add(value)),
    }).visit(program);
  }
  return { names, texts };
}

describe('the table of metrics', () => {
  test('names counters, times and sizes as Prometheus wants it', () => {
    for (const { name, type } of metricRows) {
      expect(name).toMatch(/^sluice_[a-z_]+$/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      if (type === 'histogram') expect(name).toMatch(/_(seconds|publications)$/);
    }
  });

  test('has no row that no stage sets, and no label value', () => {
    const { names, texts } = usesOfMetrics();
    const unset = Object.entries(table).flatMap(([name, { labels }]) => {
      const property = name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
      const values = Object.values<readonly string[] | 'open'>(labels).flatMap((each) =>
        each === 'open' ? [] : each,
      );
      return [...(names.has(property) ? [] : [name]), ...values.filter((value) => !texts.has(value))];
    });
    expect(unset).toEqual([]);
  });

  test('has no label with an unbounded number of values', () => {
    const labels = metricRows.flatMap((row) => row.labels);
    for (const unbounded of ['topic', 'user', 'session', 'id', 'ip', 'key'])
      expect(labels).not.toContain(unbounded);
  });
});

test('promtool accepts the metrics, and those of the process', async () => {
  const metrics = createMetrics();
  metrics.connectionsRejectedTotal.inc({ reason: 'rate_limited' });
  const input = await metrics.registry.metrics();
  const { status, stdout, stderr, error } = spawnSync('promtool', ['check', 'metrics'], {
    input,
    encoding: 'utf8',
  });
  expect(error).toBeUndefined();
  expect([status, stdout, stderr]).toEqual([0, '', '']);
});

describe('createMetrics', () => {
  test('has every metric of the table, under its name and as a property', async () => {
    const metrics = own();
    const text = await metrics.registry.metrics();
    for (const { name, type } of metricRows) expect(text).toContain(`# TYPE ${name} ${type}`);
    metrics.connectionsRejectedTotal.inc({ reason: 'rate_limited' });
    metrics.frameBytesTotal.labels({ stage: 'wire' }).inc(7);
    metrics.deliverySeconds.observe(0.003);
    const after = await metrics.registry.metrics();
    expect(after).toContain('sluice_connections_rejected_total{reason="rate_limited"} 1');
    expect(after).toContain('sluice_frame_bytes_total{stage="wire"} 7');
    expect(after).toContain('sluice_delivery_seconds_bucket{le="0.002"} 0');
    expect(after).toContain('sluice_delivery_seconds_bucket{le="0.005"} 1');
  });

  test('keeps the gateways of one process apart', async () => {
    const [left, right] = [own(), own()];
    left.publicationsTotal.inc(3);
    expect(await left.registry.metrics()).toContain('sluice_publications_total 3');
    expect(await right.registry.metrics()).toContain('sluice_publications_total 0');
  });

  test('starts the counters of known labels at 0, so that rate() sees the first increment', async () => {
    const text = await own().registry.metrics();
    for (const reason of ['count', 'age', 'bytes', 'total', 'ttl']) {
      expect(text).toContain(`sluice_ring_evictions_total{reason="${reason}"} 0`);
    }
  });

  test('knows the labels at compile time', () => {
    const metrics = own();
    // @ts-expect-error: no such stage
    metrics.frameBytesTotal.inc({ stage: 'raw' });
    // @ts-expect-error: a label is missing
    metrics.httpRequestsTotal.inc({ route: '/healthz' });
    // @ts-expect-error: it has no labels; prom-client refuses them too
    expect(() => metrics.publicationsTotal.inc({ topic: 'stats' })).toThrow('topic');
  });

  test('calls the owners at each scrape, until they end it', async () => {
    const metrics = own();
    let topics = 0;
    const end = metrics.onScrape(() => metrics.topics.set(++topics));
    expect(await metrics.registry.metrics()).toContain('sluice_topics 1');
    expect(await metrics.registry.metrics()).toContain('sluice_topics 2');
    end();
    expect(await metrics.registry.metrics()).toContain('sluice_topics 2');
  });

  test('reports the process too, with a histogram of our own for the delay of its event loop', async () => {
    const text = await createMetrics().registry.metrics();
    for (const name of [
      'process_resident_memory_bytes',
      'process_cpu_seconds_total',
      'nodejs_gc_duration_seconds',
    ])
      expect(text).toContain(`# TYPE ${name} `);
    expect(text).not.toContain('nodejs_eventloop_lag');
  });
});

describe('counters and histograms', () => {
  const bounds = [0.001, 0.01, 0.1];

  test('have the same text as prom-client for the same observations', async () => {
    const [registry, theirs] = [new Registry(), new Registry()];
    const tallied = new TalliedHistogram({
      name: 'a_seconds',
      help: 'help',
      labelNames: ['route'],
      buckets: bounds,
      registry,
    });
    const original = new Histogram({
      name: 'a_seconds',
      help: 'help',
      labelNames: ['route'],
      buckets: bounds,
      registers: [theirs],
    });
    // Below, at and above each bound.
    for (const value of [0, 0.0009, 0.001, 0.0011, 0.01, 0.05, 0.1, 0.11, 7]) {
      for (const route of ['/a', '/b"']) {
        tallied.tally({ route }).observe(value);
        original.observe({ route }, value);
      }
    }
    expect(await registry.metrics()).toBe(await theirs.metrics());
    expect(await registry.getSingleMetricAsString('a_seconds')).toContain('a_seconds_count{route="/a"} 9');
  });

  test('start at 0 and are in every scrape, not only the first', async () => {
    const metrics = own();
    expect(await metrics.registry.metrics()).toContain('sluice_publish_seconds_count 0');
    for (const count of [1, 2]) {
      metrics.publishSeconds.observe(0.5);
      metrics.publicationsTotal.inc(2);
      const text = await metrics.registry.metrics();
      expect(text).toContain(`sluice_publish_seconds_count ${count}`);
      expect(text).toContain(`sluice_publications_total ${2 * count}`);
    }
  });

  test('take numbers only, and counters none below 0', () => {
    const metrics = own();
    metrics.publicationsTotal.inc(0);
    expect(() => metrics.publicationsTotal.inc(-1)).toThrow("can't be counted");
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => metrics.publicationsTotal.inc(value)).toThrow("can't be counted");
      expect(() => metrics.publishSeconds.observe(value)).toThrow("can't be counted");
    }
  });

  describe.each([
    [
      'a counter',
      (registry: Registry) =>
        new TalliedCounter({ name: 'a_total', help: 'help', labelNames: ['x', 'y'], registry }),
    ],
    [
      'a histogram',
      (registry: Registry) =>
        new TalliedHistogram({ name: 'a', help: 'help', labelNames: ['x', 'y'], buckets: bounds, registry }),
    ],
  ])('of %s', (_, make) => {
    test('has one tally for one combination of labels, in any order', () => {
      const made = make(new Registry());
      const tally = made.tally({ x: '1', y: '2' });
      expect(made.tally({ x: '1', y: '2' })).toBe(tally);
      expect(made.tally({ y: '2', x: '1' })).toBe(tally);
    });

    test('keeps other combinations apart', () => {
      const made = make(new Registry());
      const others = [
        { x: '1', y: '2' },
        { x: '2', y: '1' },
        { x: '1', y: '1' },
        { x: '12', y: '' },
        { x: '', y: '12' },
      ].map((labels) => made.tally(labels));
      expect(new Set(others).size).toBe(5);
    });

    test('has one without labels too', () => {
      const made = make(new Registry());
      expect(made.tally({})).toBe(made.tally({}));
    });
  });

  test('count for a combination however often it is looked up', async () => {
    const metrics = own();
    for (let i = 0; i < 3; i++) {
      metrics.httpRequestsTotal.labels({ route: '/', status: '200' }).inc();
      metrics.httpRequestSeconds.labels({ route: '/' }).observe(0.5);
    }
    metrics.httpRequestsTotal.inc({ route: '/', status: '200' }, 4);
    const text = await metrics.registry.metrics();
    expect(text).toContain('sluice_http_requests_total{route="/",status="200"} 7\n');
    expect(text).toContain('sluice_http_request_seconds_count{route="/"} 3\n');
  });
});

test('the delay of the event loop is how late a timer runs', () => {
  let nowMs = 1000;
  let look = (): void => undefined;
  let stops = 0;
  const seconds: number[] = [];
  const stop = watchLoopDelay((delay) => seconds.push(delay), {
    nowMs: () => nowMs,
    every(intervalMs, each) {
      expect(intervalMs).toBe(50);
      look = each;
      return () => void stops++;
    },
  });
  for (const laterMs of [50, 49, 80, 1050]) {
    nowMs += laterMs;
    look();
  }
  expect(seconds).toEqual([0, 0, 0.03, 1]);
  stop();
  expect(stops).toBe(1);
});

test('the longest delay of the last ten seconds is known, and then forgotten', () => {
  let nowMs = 5000;
  const delays = new RecentDelays(() => nowMs);
  expect(delays.longestMs).toBe(0);
  delays.add(300);
  delays.add(20);
  nowMs += 1000;
  delays.add(200);
  expect(delays.longestMs).toBe(300);
  nowMs = 14_999;
  expect(delays.longestMs).toBe(300);
  nowMs = 15_000;
  expect(delays.longestMs).toBe(200);
  delays.add(1);
  nowMs = 16_000;
  expect(delays.longestMs).toBe(1);
});

describe('the value of a counter', () => {
  test('is what was counted so far, summed over its labels', () => {
    const metrics = own();
    metrics.publicationsTotal.inc(3);
    metrics.httpRequestsTotal.inc({ route: '/', status: '200' }, 2);
    metrics.httpRequestsTotal.labels({ route: '/', status: '404' }).inc();
    metrics.deliveriesTotal.inc(5);
    metrics.deliveriesTotal.retract(2);
    metrics.deliveriesTotal.inc(3);
    const { publicationsTotal, httpRequestsTotal, deliveriesTotal } = metrics;
    expect([publicationsTotal.value, httpRequestsTotal.value, deliveriesTotal.value]).toEqual([3, 3, 6]);
  });
});

describe('a net counter', () => {
  const delivered = async (metrics: ReturnType<typeof own>) =>
    Number(/^sluice_deliveries_total (\d+)$/m.exec(await metrics.registry.metrics())?.[1]);

  test('never goes down, and is right again once it has made up for what it took back', async () => {
    const metrics = own();
    metrics.deliveriesTotal.inc(10);
    metrics.deliveriesTotal.retract(4);
    expect(await delivered(metrics)).toBe(10);
    metrics.deliveriesTotal.inc(3);
    expect(await delivered(metrics)).toBe(10);
    metrics.deliveriesTotal.inc(3);
    expect(await delivered(metrics)).toBe(12);
  });
});

import type { CannonCalls, CannonReport } from './load/cannon.ts';
import type { RawHttpCalls } from './peers/raw-http.ts';
import { loadCore, serverCore } from './support/core.ts';
import { startGateway } from './support/gateway.ts';
import { inTurn } from './support/runs.ts';
import { atLeast, claim, type Ratio, scenario, usual } from './support/scenario.ts';
import { Worker } from './support/worker.ts';

const options = {
  connections: { default: 50, sentence: 'Keep-alive connections of autocannon.' },
  seconds: usual.seconds,
  runs: usual.runs,
  batch: { default: 100, sentence: 'Publications in one body of the batch route.' },
} as const;

const apiKey = 'a key for this benchmark only';
const headers = { 'content-type': 'application/json', 'x-api-key': apiKey.replaceAll(' ', '-') };
const warmUpSeconds = 1;
/** The required share of the raw handler's rate. */
const wantedRatio = 0.5;

/** About 230 bytes, a typical update of a dashboard. */
function body(): string {
  const data = {
    server_id: 'web-01',
    monitoring_type: 'cpu',
    value: 42.5,
    unit: '%',
    level: 'ok',
    cores: [41.2, 43.8],
  };
  return JSON.stringify({ topic: 'stats', type: 'stats_update', data: { ...data, note: 'x'.repeat(60) } });
}

interface Row {
  readonly name: string;
  readonly url: string;
  readonly body: string;
  /** Publications per body. */
  readonly publications: number;
}

export default scenario(options, async ({ connections, seconds, runs, batch }, say) => {
  const gateway = await startGateway([`--api-key=${headers['x-api-key']}`, '--no-canary']);
  const raw = new Worker<RawHttpCalls>(new URL('./peers/raw-http.ts', import.meta.url), serverCore);
  const cannon = new Worker<CannonCalls>(new URL('./load/cannon.ts', import.meta.url), loadCore);
  try {
    const rawUrl = `http://127.0.0.1:${await raw.call('start')}/api/publish`;
    const own = `http://127.0.0.1:${gateway.port}/api/publish`;
    const many = `[${Array.from({ length: batch }, body).join(',')}]`;
    const rows: Row[] = [
      { name: 'raw uWS, JSON.parse, one', url: rawUrl, body: body(), publications: 1 },
      { name: 'sluice, one', url: own, body: body(), publications: 1 },
      { name: `raw uWS, JSON.parse, ${batch}`, url: rawUrl, body: many, publications: batch },
      { name: `sluice, ${batch}`, url: `${own}/batch`, body: many, publications: batch },
    ];
    const fire = ({ url, body: sent }: Row, forSeconds: number) =>
      cannon.call('fire', { url, headers, body: sent, connections, seconds: forSeconds });
    for (const row of rows) await fire(row, warmUpSeconds);
    const all = await inTurn(rows, runs, say, (row) => fire(row, seconds));
    const perSecond = (report: CannonReport) => report.perSecond;
    const rawOf = (row: Row) => rows[rows.indexOf(row) & ~1] as Row;
    const table = rows.map((row) => [
      row.name,
      all.of(row, perSecond),
      all.of(row, perSecond) * row.publications,
      all.of(row, (report) => report.p50Ms),
      all.of(row, (report) => report.p99Ms),
      all.ratio(row, rawOf(row), perSecond),
    ]);
    const ratios: Ratio[] = rows
      .filter((row) => row !== rawOf(row))
      .map((row) => ({
        name: `${row.name}: requests/s to the raw handler`,
        value: all.ratio(row, rawOf(row), perSecond),
        better: 'higher',
      }));
    const failed = all.sum((report) => report.failed);
    return {
      tables: [
        {
          title: `POST /api/publish, ${connections} connections`,
          columns: ['', 'requests/s', 'publications/s', 'p50 ms', 'p99 ms', 'of raw'],
          rows: table,
        },
      ],
      claims: [
        claim('no request failed', failed === 0, failed),
        ...ratios.map(({ name, value }) => atLeast(name, value, wantedRatio, 'x')),
      ],
      ratios,
    };
  } finally {
    await cannon.end();
    await raw.end();
    await gateway.end();
  }
});

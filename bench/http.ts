import type { CannonCalls, CannonReport } from './load/cannon.ts';
import type { RawHttpCalls } from './peers/raw-http.ts';
import { loadCore, serverCore } from './support/core.ts';
import { startGateway } from './support/gateway.ts';
import { median } from './support/report.ts';
import { atLeast, claim, type Ratio, scenario } from './support/scenario.ts';
import { Worker } from './support/worker.ts';

const options = {
  connections: { default: 50, sentence: 'Keep-alive connections of autocannon.' },
  seconds: { default: 5, sentence: 'Measured time of each run.' },
  runs: { default: 3, sentence: 'Runs of each row, in turn; the table has their medians.' },
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
    const reports = new Map<string, CannonReport[]>(rows.map(({ name }) => [name, []]));
    for (let run = 0; run < runs; run++) {
      for (const { name, url, body: sent } of rows) {
        say(`${name}, run ${run + 1} of ${runs}`);
        if (run === 0)
          await cannon.call('fire', { url, headers, body: sent, connections, seconds: warmUpSeconds });
        reports
          .get(name)
          ?.push(await cannon.call('fire', { url, headers, body: sent, connections, seconds }));
      }
    }
    const figure = (name: string, of: (report: CannonReport) => number) =>
      median((reports.get(name) ?? []).map(of));
    const perSecond = (index: number) => figure((rows[index] as Row).name, (report) => report.perSecond);
    const table = rows.map(({ name, publications }, i) => [
      name,
      perSecond(i),
      perSecond(i) * publications,
      figure(name, (report) => report.p50Ms),
      figure(name, (report) => report.p99Ms),
      perSecond(i) / perSecond(i - (i % 2)),
    ]);
    const ratios: Ratio[] = [1, 3].map((i) => ({
      name: `${(rows[i] as Row).name}: requests/s to the raw handler`,
      value: perSecond(i) / perSecond(i - 1),
      better: 'higher',
    }));
    const failed = [...reports.values()].flat().reduce((sum, report) => sum + report.failed, 0);
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

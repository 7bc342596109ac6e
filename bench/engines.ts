import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../src/config.ts';
import { createMetrics } from '../src/metrics.ts';
import { publishOf } from '../src/protocol/publication.ts';
import { createStorage } from '../src/server/storage.ts';
import type { AppendRequest, Engine } from '../src/topics/engine.ts';
import { median } from './support/report.ts';
import { numbers, scenario, usual } from './support/scenario.ts';

const options = {
  publishers: { default: '1,10,100', sentence: 'Appends under way at the same time, one publication each.' },
  topics: { default: 20, sentence: 'Topics that they take turns with.' },
  bytes: { default: 250, sentence: 'Size of a payload.' },
  seconds: { default: 2, sentence: 'How long a run takes.' },
  runs: usual.runs,
  dir: { default: tmpdir(), sentence: 'Where the data folders are made: the disk that is measured.' },
} as const;

const subjects = [
  ['memory', { engine: 'memory' }],
  ['lmdb', { engine: 'lmdb' }],
  ['lmdb --sync', { engine: 'lmdb', sync: true }],
] as const;

interface Seen {
  readonly appendsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

async function measure(
  engine: Engine,
  requests: readonly AppendRequest[],
  publishers: number,
  endMs: number,
) {
  const latenciesMs: number[] = [];
  let next = 0;
  const publish = async () => {
    for (let startMs = performance.now(); startMs < endMs; startMs = performance.now()) {
      const [outcome] = await engine.append([requests[next++ % requests.length] as AppendRequest]);
      if (outcome?.ok !== true) throw new Error('an append failed');
      latenciesMs.push(performance.now() - startMs);
      // The memory engine returns at once, so let the other tasks of this process run.
      if (next % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const startMs = performance.now();
  await Promise.all(Array.from({ length: publishers }, publish));
  latenciesMs.sort((a, b) => a - b);
  const at = (share: number) => latenciesMs[Math.floor(latenciesMs.length * share)] ?? Number.NaN;
  const seconds = (performance.now() - startMs) / 1000;
  return { appendsPerSecond: latenciesMs.length / seconds, p50Ms: at(0.5), p99Ms: at(0.99) };
}

export default scenario(options, async ({ publishers, topics, bytes, seconds, runs, dir }, say) => {
  const payload = { format: 'json', bytes: Buffer.from(JSON.stringify('x'.repeat(bytes - 2))) } as const;
  const requests = Array.from({ length: topics }, (_, i) => ({
    fields: publishOf({ topic: `topic${i}`, type: 'update', payload }),
    publishedAtMs: Date.now(),
    acceptedAtMs: 0,
  }));
  const rows: (string | number)[][] = [];
  for (const [name, flags] of subjects) {
    for (const count of numbers(publishers)) {
      say(`${name}, ${count} publishers`);
      const seen: Seen[] = [];
      for (let i = 0; i < runs; i++) {
        const dataDir = mkdtempSync(join(dir, 'sluice-bench-'));
        const config = loadConfig({ flags: { ...flags, dataDir } });
        const monotonicMs = () => performance.now();
        const { engine } = await createStorage({ config, metrics: createMetrics(), monotonicMs });
        await engine.open({ appended: () => undefined, reset: () => undefined, degraded: () => undefined });
        seen.push(await measure(engine, requests, count, performance.now() + seconds * 1000));
        await engine.close();
        rmSync(dataDir, { recursive: true, force: true });
      }
      const of = (part: keyof Seen) => median(seen.map((each) => each[part]));
      rows.push([name, count, Math.round(of('appendsPerSecond')), of('p50Ms'), of('p99Ms')]);
    }
  }
  const columns = ['engine', 'publishers', 'appends/s', 'p50 ms', 'p99 ms'];
  const title = `appends of ${bytes} bytes to ${topics} topics, each waiting for its answer`;
  return { tables: [{ title, columns, rows }], claims: [] };
});

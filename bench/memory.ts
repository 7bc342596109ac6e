import type { ReceiversCalls } from './load/receivers.ts';
import { loadCore } from './support/core.ts';
import { median } from './support/report.ts';
import { claim, numbers, scenario } from './support/scenario.ts';
import { startRaw, startSluice } from './support/subject.ts';
import { Worker } from './support/worker.ts';

const options = {
  connections: { default: 8000, sentence: 'Idle connections.' },
  topics: { default: '0,1,10', sentence: 'Subscriptions of each.' },
  runs: { default: 3, sentence: 'Runs of each row; the table has their medians.' },
} as const;

/** They come first, and stay: code is compiled, and maps have had to grow. */
const warmUpConnections = 500;
/** The garbage of the handshakes would make the young generation grow to 48 MB; it is not what a connection takes. */
const nodeArgs = ['--max-semi-space-size=1'];
const targetBytes = 2500;

/** What one more connection adds, when the heap has its size already. */
async function bytesPerConnection(isRaw: boolean, topics: number, connections: number): Promise<number> {
  const { worker, port } = await (isRaw
    ? startRaw({ topics, batchMs: 0 }, nodeArgs)
    : startSluice({}, nodeArgs));
  const receivers = new Worker<ReceiversCalls>(new URL('./load/receivers.ts', import.meta.url), loadCore);
  try {
    const names = Array.from({ length: topics }, (_, i) => `topic${i}`);
    const dialect = isRaw ? 'raw' : 'protobuf';
    const open = (count: number) =>
      receivers.call('open', {
        port,
        dialect,
        messageBytes: 200,
        connections: count,
        topics: names,
        probes: 0,
      });
    await open(warmUpConnections);
    const before = await worker.call('rssBytes');
    await open(connections);
    return ((await worker.call('rssBytes')) - before) / connections;
  } finally {
    await receivers.end();
    await worker.end();
  }
}

export default scenario(options, async ({ connections, topics, runs }, say) => {
  const rows: (string | number)[][] = [];
  const claims = [];
  for (const count of numbers(topics)) {
    const seen: { raw: number[]; sluice: number[] } = { raw: [], sluice: [] };
    for (let i = 0; i < runs; i++) {
      say(`${count} topics, run ${i + 1} of ${runs}`);
      seen.raw.push(await bytesPerConnection(true, count, connections));
      seen.sluice.push(await bytesPerConnection(false, count, connections));
    }
    const [raw, sluice] = [median(seen.raw), median(seen.sluice)];
    rows.push([
      count,
      Math.round(raw),
      Math.round(sluice),
      Math.round(sluice - raw),
      (sluice / raw).toFixed(2),
    ]);
    if (count !== 1) continue;
    const name = `an idle connection with one subscription takes at most ${targetBytes} bytes more than with raw uWS`;
    claims.push(claim(name, sluice - raw <= targetBytes, Math.round(sluice - raw)));
  }
  const title = `bytes per idle connection, of ${connections}`;
  return {
    tables: [{ title, columns: ['topics', 'raw uWS', 'sluice', 'more', 'ratio'], rows }],
    claims,
  };
});

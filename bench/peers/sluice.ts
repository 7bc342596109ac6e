import type * as Library from '../../src/index.ts';
import type { PublishJob, PublishReport } from '../load/publisher.ts';
import { pace } from '../support/pacer.ts';
import { StampedPayloads } from '../support/payload.ts';
import { serveCalls, settledRssBytes } from '../support/worker.ts';

/** A gateway with a publisher in its own process, as raw uWebSockets.js has it. */

// What `npm run build` made: that is what ships.
const built = new URL('../../dist/index.js', import.meta.url).href;
const { loadConfig, startServer } = (await import(built)) as typeof Library;

let server: Library.RunningServer | undefined;

async function start({ flags }: { readonly flags: Readonly<Record<string, unknown>> }): Promise<number> {
  server = await startServer(loadConfig({ flags: { port: 0, logLevel: 'warn', ...flags } }));
  return server.port;
}

async function publish({ topic, rate, seconds, bytes }: PublishJob): Promise<PublishReport> {
  const { broker } = server!;
  const payloads = new StampedPayloads(bytes, 1);
  let failed = 0;
  const { sent, latestMs } = await pace(rate, seconds, async () => {
    const payload = { format: 'json', bytes: payloads.next() } as const;
    const [outcome] = await broker.publish([{ topic, type: 'update', payload }]);
    if (!outcome!.ok) failed++;
  });
  return { sent, latestMs, failed };
}

const handlers = { start, publish, rssBytes: settledRssBytes };
export type SluiceCalls = typeof handlers;
serveCalls(handlers);

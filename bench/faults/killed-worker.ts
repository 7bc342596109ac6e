import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { startGateway } from '../support/gateway.ts';
import { childrenOf } from '../support/proc.ts';
import type { Scrape } from '../support/scrape.ts';
import { type Accounts, accounted } from './accounted.ts';

export interface KilledWorker extends Accounts {
  /** Clients of the worker that was killed. */
  readonly lost: number;
  /** Until all clients were connected again. */
  readonly backMs: number;
  /** Counters that went down. */
  readonly fallen: readonly string[];
  /** Counted publications minus acknowledged ones. */
  readonly uncounted: number;
  /** Allowed value of `uncounted`: publications between the last scrape and the kill. */
  readonly unscraped: number;
  readonly exits: number;
}

const calmMs = 2000;
const backWithinMs = 20_000;
const lookEveryMs = 50;

const counters = ['connections_total', 'publications_total', 'deliveries_total', 'sent_bytes_total'] as const;
const read = (scrape: Scrape, name: string) => scrape.value(`sluice_${name}`);

/** Kills one of two workers with clients of the SDK during publishing, and accounts for every publication. */
export async function killWorker(
  clients: number,
  rate: number,
  say: (line: string) => void,
): Promise<KilledWorker> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-killed-worker-'));
  const flags = [
    ...['--workers=2', '--no-canary', '--message-ids-max-bytes-per-client=1GiB'],
    ...['--message-ids-max-bytes=2GiB', '--topic-history-max-publications=100000'],
  ];
  const gateway = await startGateway(flags, undefined, 'all');
  let seen = { lost: 0, backMs: backWithinMs, fallen: [] as string[], uncounted: 0, unscraped: 0, exits: 0 };
  const connections = () => gateway.metric('sluice_connections');
  const kill = async () => {
    await setTimeout(calmMs);
    const before = await gateway.scrape();
    const [worker] = childrenOf(gateway.pid);
    const scrapedAtMs = performance.now();
    process.kill(worker as number, 'SIGKILL');
    const killedAtMs = performance.now();
    let least = clients;
    let backMs = 0;
    while (backMs < backWithinMs) {
      await setTimeout(lookEveryMs);
      const now = await connections().catch(() => 0);
      if (now > 0) least = Math.min(least, now);
      backMs = performance.now() - killedAtMs;
      if (now >= clients && least < clients) break;
    }
    await setTimeout(calmMs);
    const after = await gateway.scrape();
    const fallen = counters.filter((name) => read(after, name) < read(before, name));
    const unscraped = Math.ceil(((killedAtMs - scrapedAtMs) * rate) / 1000) + rate;
    const exits = read(after, 'worker_exits_total');
    seen = { ...seen, lost: clients - least, backMs, fallen: [...fallen], unscraped, exits };
  };
  try {
    const seconds = (2 * calmMs) / 1000 + 3;
    const accounts = await accounted(
      { transports: ['ws'], clients, ports: [gateway.port], rate, seconds, seed: 1, folder, say },
      kill,
    );
    const published = await gateway.metric('sluice_publications_total');
    return { ...accounts, ...seen, uncounted: accounts.verdict.acknowledged - published };
  } finally {
    await gateway.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

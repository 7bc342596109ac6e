import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type Accounts, accounted, accountedFlags, claimsOf, fullestWindow } from './faults/accounted.ts';
import type { Transport } from './faults/clients.ts';
import { startGateway } from './support/gateway.ts';
import { atMost, claim, type OptionsOf, scenario } from './support/scenario.ts';

const options = {
  clients: { default: 1000, sentence: 'Clients: a third each by the SDK, by streams and by polls.' },
  rate: { default: 1000, sentence: 'Publications per second, all the time.' },
  drainSeconds: { default: 4, sentence: 'The time over which they are told to go away.' },
  seed: { default: 1, sentence: 'Seed of the payloads.' },
} as const;
type Options = OptionsOf<typeof options>;

const transports: readonly Transport[] = ['ws', 'sse', 'poll'];
const calmSeconds = 3;
const windowMs = 250;
/**
 * Clients are asked over 4 s to come back within 4 s, so they come over 8 s, with 6 % of them in the fullest window.
 */
const mostInWindow = 0.12;
/**
 * Clients whose delay ends before the gateway is back retry: streams and polls after the same delay again, so a quarter
 * of those with 0 to 4 s within 250 ms; the SDK with its own delays.
 */
const mostReturned = 0.3;

/** New connections between two looks after the restart. */
interface Window {
  readonly untilMs: number;
  /** A busy machine looks later than it was asked to. */
  readonly ms: number;
  readonly count: number;
}

interface Seen extends Accounts {
  readonly windows: readonly Window[];
  readonly drainMs: number;
}

async function run(chosen: Options, folder: string, say: (line: string) => void): Promise<Seen> {
  const { clients, rate, drainSeconds, seed } = chosen;
  const flags = [
    '--engine=lmdb',
    `--data-dir=${join(folder, 'data')}`,
    `--drain-seconds=${drainSeconds}`,
    ...accountedFlags,
  ];
  let gateway = await startGateway(flags);
  const { port } = gateway;
  const windows: Window[] = [];
  let drainMs = 0;
  const restart = async () => {
    await setTimeout(calmSeconds * 1000);
    say('SIGTERM');
    const startMs = performance.now();
    await gateway.end();
    drainMs = performance.now() - startMs;
    say(`drained after ${Math.round(drainMs)} ms; started again`);
    gateway = await startGateway(flags, port);
    say(`ready again ${Math.round(performance.now() - startMs)} ms after SIGTERM`);
    const readyMs = performance.now();
    let before = { ms: readyMs, total: 0 };
    while (before.ms < readyMs + 3 * drainSeconds * 1000) {
      await setTimeout(windowMs);
      const now = { total: await gateway.metric('sluice_connections_total'), ms: performance.now() };
      windows.push({ untilMs: now.ms - readyMs, ms: now.ms - before.ms, count: now.total - before.total });
      before = now;
    }
  };
  try {
    const seconds = 2 * calmSeconds + 4 * drainSeconds;
    const ports = [port];
    const load = { transports, clients, ports, rate, seconds, seed, folder, say };
    const accounts = await accounted(load, restart);
    return { ...accounts, windows, drainMs };
  } finally {
    await gateway.end();
  }
}

export default scenario(options, async (chosen, say) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-drain-'));
  try {
    const seen = await run(chosen, folder, say);
    const { verdict, behind, windows, drainMs, reachedMs, returnsAtMs } = seen;
    const { tally } = verdict;
    for (const problem of [...verdict.problems, ...behind.slice(0, 20)]) say(problem);
    return {
      tables: [
        {
          title: `${chosen.clients} clients, ${chosen.rate}/s, lmdb, drained over ${chosen.drainSeconds} s`,
          columns: ['what', 'how many'],
          rows: [
            ['published (acknowledged)', verdict.acknowledged],
            ['delivered live', tally.live],
            ['recovered', tally.recovered],
            ['drain, ms', Math.round(drainMs)],
            ['all at the end after, ms', Math.round(reachedMs)],
          ],
        },
        {
          title: 'connections since the restart',
          columns: ['until, ms', 'new'],
          rows: windows
            .filter(({ count }) => count > 0)
            .map(({ untilMs, count }) => [Math.round(untilMs), count]),
        },
      ],
      claims: [
        ...claimsOf(seen),
        atMost(
          `share of the streams and polls that were told to come back within the same ${windowMs} ms`,
          fullestWindow(returnsAtMs, windowMs),
          mostInWindow,
        ),
        atMost(
          `share of the clients that came within the same ${windowMs} ms after the restart`,
          Math.max(...windows.map(({ count, ms }) => (count * windowMs) / ms)) / chosen.clients,
          mostReturned,
        ),
        // Clients between two polls are told by their next poll, if the gateway still runs.
        claim(
          'at least the streams were told',
          returnsAtMs.length >= 0.32 * chosen.clients,
          returnsAtMs.length,
        ),
      ],
      facts: { verdict, windows },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

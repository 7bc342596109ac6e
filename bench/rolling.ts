import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { accounted, accountedFlags, claimsOf, fullestWindow } from './faults/accounted.ts';
import { startBalanced } from './faults/balanced.ts';
import { atMost, scenario } from './support/scenario.ts';

const options = {
  clients: { default: 600, sentence: 'Clients: a third each by the SDK, by streams and by polls.' },
  rate: { default: 500, sentence: 'Publications per second, all the time.' },
  nodes: { default: 3, sentence: 'Gateways on one Redis, behind HAProxy.' },
  drainSeconds: { default: 4, sentence: 'The time over which each tells its clients to go away.' },
  seed: { default: 1, sentence: 'Seed of the payloads.' },
} as const;

const calmSeconds = 2;
/** Time for a drain, its grace period, and the start of a gateway on a busy machine. */
const startSeconds = 8;
const windowMs = 250;
/** As in `drain`. Of a client that was told several times the last one counts. */
const mostInWindow = 0.12;

export default scenario(options, async ({ clients, rate, nodes, drainSeconds, seed }, say) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-rolling-'));
  const flags = [`--drain-seconds=${drainSeconds}`, ...accountedFlags];
  const balanced = await startBalanced(nodes, flags);
  const drainsMs: number[] = [];
  const restartAll = async () => {
    for (let node = 0; node < nodes; node++) {
      await setTimeout(calmSeconds * 1000);
      say(`SIGTERM to gateway ${node + 1} of ${nodes}`);
      drainsMs.push(await balanced.restart(node));
    }
    await setTimeout(calmSeconds * 1000);
  };
  try {
    const seen = await accounted(
      {
        transports: ['ws', 'sse', 'poll'],
        clients,
        rate,
        seed,
        folder,
        say,
        ports: [balanced.port],
        seconds: nodes * (calmSeconds + drainSeconds + startSeconds),
      },
      restartAll,
    );
    const { tally } = seen.verdict;
    for (const problem of [...seen.verdict.problems, ...seen.behind.slice(0, 20)]) say(problem);
    return {
      tables: [
        {
          title: `${clients} clients, ${rate}/s, ${nodes} gateways on one Redis, each drained over ${drainSeconds} s; seed ${seed}`,
          columns: ['what', 'how many'],
          rows: [
            ['published (acknowledged)', seen.verdict.acknowledged],
            ['delivered live', tally.live],
            ['recovered', tally.recovered],
            ['longest drain, ms', Math.round(Math.max(...drainsMs))],
          ],
        },
      ],
      claims: [
        ...claimsOf(seen),
        atMost(
          `share of the streams and polls that were told to come back within the same ${windowMs} ms`,
          fullestWindow(seen.returnsAtMs, windowMs),
          mostInWindow,
        ),
      ],
      facts: { ...seen, drainsMs },
    };
  } finally {
    await balanced.end();
    rmSync(folder, { recursive: true, force: true });
  }
});

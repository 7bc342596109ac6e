import { setTimeout } from 'node:timers/promises';
import { loadCore } from '../support/core.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { cpuSeconds, rssBytes } from '../support/proc.ts';
import { type Claim, claim } from '../support/scenario.ts';
import { Worker } from '../support/worker.ts';
import type { AttackerCalls } from './attacker.ts';
import { credentials, ownMs, type Pong, publish, tokenOf, Victim, worseOf } from './victim.ts';

const cap = 1000;
const handshakes = 20_000;
const attackers = 4;
/** Of each attacker at a time. A process has 20 000 files at most. */
const inFlight = 1000;
const rounds = 4;
/** The heap has its size after two storms, and the next ones reuse its memory. */
const rssSettledAfter = 2;
const rssGrowthMax = 1.1;
const publishEveryMs = 20;
const calmMs = 4000;

interface Storm {
  readonly seconds: number;
  /** Of the gateway. */
  readonly cpuSeconds: number;
  readonly opened: number;
  readonly refused: number;
  readonly pong: Pong;
  readonly publishes: number;
  readonly failedPublishes: number;
  /** Memory after all have left. */
  readonly connectionsAfter: number;
  readonly rssAfterBytes: number;
}

/** Many more handshakes than the cap on connections allows, from four addresses, beside a connected client. */
export async function storm(pongMaxMs: number) {
  // One more: for the client that is in.
  const gateway = await startGateway([...credentials, '--no-canary', `--connections-max=${cap + 1}`]);
  const victim = await Victim.join(gateway);
  const storms: Storm[] = [];
  let calmPongMs = Number.NaN;
  try {
    await publish(gateway, [{ topic: 'stats', type: 'x', data: 0 }]);
    calmPongMs = ownMs(await victim.watch(calmMs));
    for (let round = 1; round <= rounds; round++) storms.push(await stormOnce(gateway, victim, round));
  } finally {
    victim.leave();
    await gateway.kill();
  }
  const MiB = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  const rows = storms.map((each, i) => [
    ...[
      i + 1,
      each.seconds.toFixed(1),
      each.cpuSeconds.toFixed(1),
      each.opened,
      each.refused,
      ownMs(each.pong).toFixed(0),
    ],
    ...[`${each.publishes - each.failedPublishes} of ${each.publishes}`, each.connectionsAfter],
    MiB(each.rssAfterBytes),
  ]);
  const columns = [
    ...['storm', 's', 'CPU, s', 'let in', 'refused', 'worst pong, ms', 'publishes', 'connections after'],
    'RSS after, MiB',
  ];
  const title = `${handshakes} handshakes against a cap of ${cap} (worst pong before: ${calmPongMs.toFixed(0)} ms)`;
  return { table: { title, columns, rows }, claims: claimsOf(storms, pongMaxMs) };
}

function claimsOf(storms: readonly Storm[], pongMaxMs: number): Claim[] {
  const worstMs = Math.max(...storms.map(({ pong }) => ownMs(pong)));
  const failed = storms.reduce((sum, { failedPublishes }) => sum + failedPublishes, 0);
  const growth = storms.at(-1)!.rssAfterBytes / storms[rssSettledAfter - 1]!.rssAfterBytes;
  const inside = storms.map(({ opened }) => opened);
  const answered = storms.map(({ opened, refused }) => opened + refused);
  const after = storms.map(({ connectionsAfter }) => connectionsAfter);
  return [
    claim(
      'a storm fills the cap, to the last place',
      inside.every((count) => count === cap),
      inside.join(', '),
    ),
    claim(
      'all others are told why',
      answered.every((count) => count === handshakes),
      answered.join(', '),
    ),
    claim(
      'a client that is in has its pong',
      worstMs <= pongMaxMs,
      `${worstMs.toFixed(0)} ms (${pongMaxMs})`,
    ),
    claim('a backend publishes meanwhile', failed === 0, `${failed} publishes failed`),
    claim(
      'the places come back',
      after.every((count) => count === 1),
      after.join(', '),
    ),
    claim(
      'so does the memory: RSS after the last storm to that after the second',
      growth <= rssGrowthMax,
      `${growth.toFixed(2)} x (${rssGrowthMax})`,
    ),
  ];
}

async function stormOnce(gateway: Gateway, victim: Victim, round: number): Promise<Storm> {
  const token = tokenOf({ topics: [] });
  const workers = Array.from(
    { length: attackers },
    () => new Worker<AttackerCalls>(new URL('./attacker.ts', import.meta.url), loadCore),
  );
  try {
    const startMs = performance.now();
    const cpuBefore = cpuSeconds(gateway.pid);
    let isOver = false;
    const storming = Promise.all(
      workers.map((worker, i) =>
        worker.call('storm', {
          port: gateway.port,
          token,
          inFlight,
          count: handshakes / attackers,
          localAddress: `127.0.${round}.${10 + i}`,
        }),
      ),
    ).finally(() => {
      isOver = true;
    });
    const watched = watchUntil(victim, () => isOver);
    const published = publishUntil(gateway, () => isOver);
    const outcomes = await storming;
    const seconds = (performance.now() - startMs) / 1000;
    const cpu = cpuSeconds(gateway.pid) - cpuBefore;
    const sum = (pick: (outcome: (typeof outcomes)[number]) => number) =>
      outcomes.reduce((total, outcome) => total + pick(outcome), 0);
    const [pong, publishes] = [await watched, await published];
    await Promise.all(workers.map((worker) => worker.end()));
    return {
      seconds,
      cpuSeconds: cpu,
      pong,
      ...publishes,
      opened: sum(({ opened }) => opened),
      refused: sum(({ refused }) => refused),
      ...(await afterwards(gateway)),
    };
  } finally {
    await Promise.all(workers.map((worker) => worker.end()));
  }
}

async function watchUntil(victim: Victim, isOver: () => boolean): Promise<Pong> {
  let worst: Pong = await victim.watch(0);
  while (!isOver()) worst = worseOf(worst, await victim.watch(500));
  return worst;
}

async function publishUntil(gateway: Gateway, isOver: () => boolean) {
  let publishes = 0;
  let failedPublishes = 0;
  while (!isOver()) {
    publishes++;
    if (!(await publish(gateway, [{ topic: 'stats', type: 'x', data: publishes }]))) failedPublishes++;
    await setTimeout(publishEveryMs);
  }
  return { publishes, failedPublishes };
}

/** Resolves when the gateway has noticed that all have left, at the latest after 10 s. */
async function afterwards(gateway: Gateway) {
  let connectionsAfter = Number.NaN;
  for (let tries = 0; tries < 50 && connectionsAfter !== 1; tries++) {
    await setTimeout(200);
    connectionsAfter = await gateway.metric('sluice_connections');
  }
  await setTimeout(1000);
  return { connectionsAfter, rssAfterBytes: rssBytes(gateway.pid) };
}

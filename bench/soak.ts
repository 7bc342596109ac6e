import { setTimeout } from 'node:timers/promises';
import type { ClientsCalls, ClientsReport } from './soak/clients.ts';
import type { GatewayCalls, HeldResources, Memory } from './soak/gateway.ts';
import { rssBytes } from './support/proc.ts';
import { atMost, type Claim, claim, type OptionsOf, scenario, type Table } from './support/scenario.ts';
import { Worker } from './support/worker.ts';

const options = {
  minutes: { default: 60, sentence: 'How long it runs; the first sixth is for everything to fill.' },
  clients: {
    default: 1000,
    sentence: 'Clients: six tenths WebSockets, two tenths streams, two tenths polls.',
  },
  rate: { default: 1000, sentence: 'Publications per second.' },
  churn: { default: 20, sentence: 'Clients per second that end and are replaced.' },
  seed: { default: 1, sentence: 'Chooses who ends, and what the others ask for.' },
} as const;
type Options = OptionsOf<typeof options>;

const parts = 6;
const sampleMs = 1000;
/** A session by polls ends 30 s after the last one; a connection that is idle after 12 s. */
const emptyWithinMs = 60_000;

const roomy = {
  connectionsMaxPerIp: 100_000,
  connectionsMax: 100_000,
  unauthenticatedMaxPerIp: 100_000,
  handshakesPerSecondPerIp: 100_000,
  httpConnectionsPerSecondPerIp: 1_000_000,
  httpConnectionsMax: 100_000,
  httpRequestsPerSecondPerIp: 1_000_000,
  // Limits of CPU time are tested elsewhere.
  topicHistoryMaxPublications: 500,
};

interface Part {
  /** The highest of its samples. */
  readonly rssBytes: number;
  /** At its end. */
  readonly memory: Memory;
  readonly clients: ClientsReport;
}

interface Seen {
  readonly parts: readonly Part[];
  readonly base: HeldResources;
  readonly loaded: HeldResources;
  readonly left: HeldResources;
  readonly clients: ClientsReport;
}

async function run(chosen: Options, say: (line: string) => void): Promise<Seen> {
  const gateway = new Worker<GatewayCalls>(new URL('./soak/gateway.ts', import.meta.url));
  const load = new Worker<ClientsCalls>(new URL('./soak/clients.ts', import.meta.url));
  try {
    const port = await gateway.call('start', roomy);
    await load.call('warmUp', { port });
    // The canary has connected, and the connections of the publisher stay.
    await setTimeout(2000);
    const base = await gateway.call('held');
    const { clients, churn, rate, seed, minutes } = chosen;
    await load.call('start', { port, clients, churn, rate, seed });
    const seen: Part[] = [];
    for (let i = 1; i <= parts; i++) {
      const highest = await highestRss(gateway.pid, (minutes * 60_000) / parts);
      const part = {
        rssBytes: highest,
        memory: await gateway.call('memory'),
        clients: await load.call('report'),
      };
      seen.push(part);
      say(`${i}/${parts}: ${row(part, i).join(', ')}`);
    }
    const loaded = await gateway.call('held');
    const report = await load.call('stop');
    return { parts: seen, base, loaded, left: await emptied(gateway, base), clients: report };
  } finally {
    await load.end();
    await gateway.end();
  }
}

async function highestRss(pid: number, forMs: number): Promise<number> {
  const untilMs = performance.now() + forMs;
  let highest = 0;
  while (performance.now() < untilMs) {
    highest = Math.max(highest, rssBytes(pid));
    await setTimeout(Math.min(sampleMs, untilMs - performance.now()));
  }
  return highest;
}

/** Waits until the gateway holds as little as at the base, or for a timeout, and returns what it holds. */
async function emptied(gateway: Worker<GatewayCalls>, base: HeldResources): Promise<HeldResources> {
  const untilMs = performance.now() + emptyWithinMs;
  for (;;) {
    const now = await gateway.call('held');
    if (excess(now, base).length === 0 || performance.now() > untilMs) return now;
    await setTimeout(1000);
  }
}

/** The figures that are larger than at the base. */
function excess(now: HeldResources, base: HeldResources): string[] {
  return Object.entries(now)
    .filter(([name, count]) => count > base[name as keyof HeldResources])
    .map(([name, count]) => `${name} ${count}, not ${base[name as keyof HeldResources]}`);
}

const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
const sum = ({ heapBytes, externalBytes }: Memory) => heapBytes + externalBytes;

function row({ rssBytes: rss, memory, clients }: Part, part: number): (string | number)[] {
  const { heapBytes, externalBytes } = memory;
  return [part, mib(rss), mib(heapBytes), mib(externalBytes), clients.opened, clients.published];
}

function claims({ parts: all, base, left, clients }: Seen, { rate, minutes }: Options): Claim[] {
  const [first, second, last] = [all[0]!, all[1]!, all.at(-1)!];
  const more = excess(left, base);
  return [
    atMost(
      'heap and external memory at the end, to the end of the first sixth',
      sum(last.memory) / sum(first.memory),
      1.05,
      'x',
    ),
    atMost('highest RSS of the last sixth, to that of the second', last.rssBytes / second.rssBytes, 1.1, 'x'),
    claim(
      'files, sessions, subscriptions, views and topics are back at their base',
      more.length === 0,
      more.join('; ') || 'all',
    ),
    claim(
      'the load was what it was to be',
      clients.published > 0.9 * rate * minutes * 60,
      `${clients.published} published`,
    ),
    claim(
      'no client was ended by the gateway, none refused',
      clients.failed + clients.refused === 0,
      `${clients.failed} clients, ${clients.refused} publications`,
    ),
  ];
}

export default scenario(options, async (chosen, say) => {
  const seen = await run(chosen, say);
  const { clients, rate, churn, minutes } = chosen;
  const tables: Table[] = [
    {
      title: `${clients} clients, ${churn} a second replaced, ${rate}/s, ${minutes} minutes in sixths; MiB`,
      columns: ['part', 'highest RSS', 'heap, collected', 'external', 'clients so far', 'published so far'],
      rows: seen.parts.map((part, i) => row(part, i + 1)),
    },
    {
      title: 'what the gateway holds',
      columns: ['what', 'before', 'under load', 'after'],
      rows: Object.keys(seen.base).map((name) => {
        const key = name as keyof HeldResources;
        return [name, seen.base[key], seen.loaded[key], seen.left[key]];
      }),
    },
  ];
  return { tables, claims: claims(seen, chosen), facts: { ...seen } };
});

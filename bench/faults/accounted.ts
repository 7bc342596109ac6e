import { join } from 'node:path';
import { type Claim, claim } from '../support/scenario.ts';
import { Worker } from '../support/worker.ts';
import type { ClientsCalls, Transport } from './clients.ts';
import type { ComparisonCalls, Verdict } from './comparison.ts';
import { topics } from './plan.ts';
import type { PublisherCalls } from './publisher.ts';

export interface AccountedOptions {
  /** The clients are spread over these evenly. */
  readonly transports: readonly Transport[];
  readonly clients: number;
  /** The addresses for clients and publisher, used in turn. */
  readonly ports: readonly number[];
  readonly rate: number;
  readonly seconds: number;
  readonly seed: number;
  /** The folder for the journals of publisher and clients. */
  readonly folder: string;
  readonly say: (line: string) => void;
}

export interface Accounts {
  readonly verdict: Verdict;
  /** Clients that did not reach the end. */
  readonly behind: readonly string[];
  /** Publishes that were refused or never answered. */
  readonly refused: number;
  /** Topics whose end is marked. */
  readonly markers: number;
  /** Time from the last publication until all clients had reached it. */
  readonly reachedMs: number;
  /** When streams and polls were asked to reconnect. */
  readonly returnsAtMs: readonly number[];
}

/** Flags of a gateway that remembers the messageIds of one publisher during a whole run. */
export const accountedFlags: readonly string[] = [
  '--message-ids-max-bytes-per-client=1GiB',
  '--message-ids-max-bytes=2GiB',
  '--topic-history-max-publications=100000',
  '--topic-history-max-bytes=256MiB',
  '--history-max-bytes=1GiB',
  '--batch-max-delay-ms=100',
];

/** `before`: prefix of the claims' names. */
export function deliveryClaims(
  { verdict: { tally }, behind, refused }: Pick<Accounts, 'verdict' | 'behind' | 'refused'>,
  before = '',
): Claim[] {
  const none = (name: string, count: number) => claim(`${before}${name}`, count === 0, count);
  return [
    none('clients that did not come back and reach the end', behind.length),
    none('unaccounted', tally.unaccounted),
    none('repeats', tally.repeats),
    none('out of order', tally.outOfOrder),
    none('told as lost', tally.toldAsLost),
    none('numberings that began anew', tally.resets),
    none('publishes that were refused or never answered', refused),
  ];
}

/** Nothing was lost, repeated or out of order, and every client came back. */
export function claimsOf(accounts: Accounts): Claim[] {
  const {
    verdict: { tally },
    markers,
  } = accounts;
  return [
    ...deliveryClaims(accounts),
    claim('every topic has its end marked', markers === topics.length, markers),
    claim('some were recovered', tally.recovered > 0, tally.recovered),
  ];
}

/** Clients that are on their way have this long, and those that stand still less. */
const reachPatience = { stillMs: 30_000, withinMs: 300_000 };

/**
 * Publishes to clients of several transports for `seconds`, while `disturb` runs; then accounts for every publication
 * at every client.
 */
export async function accounted(options: AccountedOptions, disturb: () => Promise<void>): Promise<Accounts> {
  const { transports, clients, ports, rate, seconds, seed, folder, say } = options;
  const workers: { end(): Promise<void> }[] = [];
  const keep = <W extends { end(): Promise<void> }>(worker: W): W => {
    workers.push(worker);
    return worker;
  };
  try {
    const publisherPath = join(folder, 'publisher');
    const publisher = keep(new Worker<PublisherCalls>(new URL('./publisher.ts', import.meta.url)));
    await publisher.call('start', { ports, path: publisherPath, seed });
    // Empty topics have no numbering yet, and clients would report the first one as a change.
    await publisher.call('mark');
    const count = Math.ceil(clients / transports.length);
    const groups = transports.map((transport) => ({
      transport,
      path: join(folder, transport),
      worker: keep(new Worker<ClientsCalls>(new URL('./clients.ts', import.meta.url))),
    }));
    await Promise.all(
      groups.map(({ transport, path, worker }, i) =>
        worker.call('start', { ports, transport, path, seed, first: i * count, count, pace: 'default' }),
      ),
    );
    const publishing = publisher.call('publish', { rate, seconds });
    await disturb();
    await publishing;
    const markers = await publisher.call('mark');
    const markedAtMs = performance.now();
    const behind = await Promise.all(
      groups.map(({ worker }) => worker.call('reach', { markers, ...reachPatience })),
    );
    const reachedMs = performance.now() - markedAtMs;
    const reports = await Promise.all(groups.map(({ worker }) => worker.call('finish')));
    for (const { errors } of reports)
      for (const [error, times] of Object.entries(errors)) say(`${times} x ${error}`);
    const { refused, unanswered, reasons } = await publisher.call('finish');
    for (const [reason, times] of Object.entries(reasons)) say(`${times} publishes ${reason}`);
    const comparison = keep(new Worker<ComparisonCalls>(new URL('./comparison.ts', import.meta.url)));
    const paths = groups.map(({ path }) => path);
    return {
      verdict: await comparison.call('compare', { publisher: publisherPath, clients: paths }),
      ...{
        behind: behind.flat(),
        refused: refused + unanswered,
        markers: markers.filter((marker) => marker !== undefined).length,
      },
      reachedMs,
      returnsAtMs: reports.flatMap(({ returnsAtMs }) => returnsAtMs),
    };
  } finally {
    for (const worker of workers) await worker.end();
  }
}

/** The largest share of these times within one window. */
export function fullestWindow(timesMs: readonly number[], windowMs: number): number {
  const counts = new Map<number, number>();
  for (const timeMs of timesMs) {
    const window = Math.floor(timeMs / windowMs);
    counts.set(window, (counts.get(window) ?? 0) + 1);
  }
  return Math.max(...counts.values()) / timesMs.length;
}

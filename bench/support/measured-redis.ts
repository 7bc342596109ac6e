import { Redis } from 'ioredis';
import { startRedis } from '../../test/support/redis-server.ts';
import { cpuSeconds } from './proc.ts';

/** The work of a Redis per publication. */
export interface RedisCosts {
  /** Commands that clients sent. */
  readonly sent: number;
  /** With those that scripts called. */
  readonly commands: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** CPU time. */
  readonly microseconds: number;
}

/** Scripts are counted by their own command; all other commands are counted as clients send them. */
const sentBesideScripts = ['eval', 'evalsha', 'xread', 'wait'];

interface Counts {
  readonly calls: ReadonlyMap<string, number>;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly cpuSeconds: number;
}

/** A Redis of this run. */
export interface MeasuredRedis {
  readonly url: string;
  readonly pid: number;
  /** Counts until the function that it returns is called with the number of publications. */
  measure(): Promise<(publications: number) => Promise<RedisCosts>>;
  remove(): Promise<void>;
}

export async function startMeasuredRedis(): Promise<MeasuredRedis> {
  const redis = await startRedis();
  const { url, pid } = redis;
  return { url, pid, measure: () => measureRedis(url, pid), remove: () => redis.remove() };
}

async function measureRedis(
  url: string,
  pid: number,
): Promise<(publications: number) => Promise<RedisCosts>> {
  const client = new Redis(url);
  const before = await countsOf(client, pid);
  return async (publications) => {
    const after = await countsOf(client, pid);
    client.disconnect();
    const calls = (name: string) => (after.calls.get(name) ?? 0) - (before.calls.get(name) ?? 0);
    const sum = (names: Iterable<string>) => [...names].reduce((all, name) => all + calls(name), 0);
    const hasScripts = calls('evalsha') > 0;
    return {
      sent: sum(hasScripts ? sentBesideScripts : after.calls.keys()) / publications,
      commands: sum(after.calls.keys()) / publications,
      bytesIn: (after.bytesIn - before.bytesIn) / publications,
      bytesOut: (after.bytesOut - before.bytesOut) / publications,
      microseconds: ((after.cpuSeconds - before.cpuSeconds) * 1e6) / publications,
    };
  };
}

async function countsOf(client: Redis, pid: number): Promise<Counts> {
  const [commands, stats] = [await client.info('commandstats'), await client.info('stats')];
  const calls = new Map<string, number>();
  for (const [, name, count] of commands.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm))
    if (name !== 'info') calls.set(name as string, Number(count));
  const figure = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(stats)?.[1]);
  return {
    calls,
    bytesIn: figure('total_net_input_bytes'),
    bytesOut: figure('total_net_output_bytes'),
    cpuSeconds: cpuSeconds(pid),
  };
}

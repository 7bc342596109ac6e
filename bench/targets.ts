import { setTimeout } from 'node:timers/promises';
import type { PublisherCalls } from './load/publisher.ts';
import type { OpenOptions, Received, ReceiversCalls } from './load/receivers.ts';
import type { PublishReport } from './peers/peer.ts';
import { loadCore } from './support/core.ts';
import { type Gateway, startGateway } from './support/gateway.ts';
import { percentText } from './support/report.ts';
import { atLeast, atMost, type Claim, claim, type OptionsOf, scenario } from './support/scenario.ts';
import type { Scrape } from './support/scrape.ts';
import { Worker } from './support/worker.ts';
import { lostOf, startReceivers, withWorkers } from './trials/trial.ts';

const options = {
  connections: { default: 1000, sentence: 'Connections under load.' },
  rate: { default: 1000, sentence: 'Publications per second, by HTTP.' },
  held: { default: 5000, sentence: 'Connections that it has to hold.' },
  bytes: { default: 200, sentence: 'Size of a payload.' },
  seconds: { default: 10, sentence: 'Measured time of each part.' },
} as const;
type Options = OptionsOf<typeof options>;

const settleMs = 5000;
const warmUpSeconds = 1;
/** The interval of the SDK. */
const beatMs = 30_000;
const calmRate = 50;
const probes = 20;
const delivery = 'sluice_delivery_seconds';

interface Part {
  readonly before: Scrape;
  readonly after: Scrape;
  readonly received: Received;
  readonly report: PublishReport;
  readonly lost: number;
}

/**
 * A gateway as it ships, in a process of its own, with a publisher and connections that speak to it by network alone.
 */
class Rig {
  readonly gateway: Gateway;
  readonly #publisher: Worker<PublisherCalls>;
  readonly #options: Options;

  constructor(gateway: Gateway, publisher: Worker<PublisherCalls>, options: Options) {
    this.gateway = gateway;
    this.#publisher = publisher;
    this.#options = options;
  }

  open(receivers: Worker<ReceiversCalls>, more: Partial<OpenOptions> & { readonly connections: number }) {
    const { port } = this.gateway;
    const { bytes } = this.#options;
    return receivers.call('open', {
      port,
      dialect: 'protobuf',
      messageBytes: bytes,
      topics: ['idle'],
      ...more,
    });
  }

  /** What the gateway and the connections of `receivers` say of publications to their topic. */
  async load(
    receivers: Worker<ReceiversCalls>,
    job: { readonly topic: string; readonly rate: number; readonly connections: number },
  ): Promise<Part> {
    const { topic, rate, connections } = job;
    const { bytes, seconds } = this.#options;
    const publish = async (period: number): Promise<PublishReport> => {
      await receivers.call('mark');
      const report = await this.#publisher.call('publish', { topics: [topic], rate, seconds: period, bytes });
      await receivers.call('settle', { publications: report.sent * connections, withinMs: settleMs });
      return report;
    };
    await publish(warmUpSeconds);
    const before = await this.gateway.scrape();
    const report = await publish(seconds);
    const received = await receivers.call('read');
    const after = await this.gateway.scrape();
    return { before, after, received, report, lost: lostOf(report, received, connections) };
  }
}

const seedCount = 100;
const registrations = 200;

/** The requirements of the replaced systems: per connection, per message, for a hundred receivers. */
async function seeds(rig: Rig, receivers: Worker<ReceiversCalls>): Promise<Claim[]> {
  await rig.open(receivers, { connections: registrations, inFlight: 1 });
  const before = await rig.gateway.scrape();
  await rig.open(receivers, { connections: registrations, inFlight: 1 });
  const handshakes = since(before, await rig.gateway.scrape(), 'sluice_handshake_seconds');
  await receivers.call('close');

  await rig.open(receivers, { connections: 1, topics: ['one'], probes: 1 });
  const one = await rig.load(receivers, { topic: 'one', rate: calmRate, connections: 1 });
  await receivers.call('close');

  await rig.open(receivers, { connections: seedCount, topics: ['hundred'], probes: seedCount });
  const hundred = await rig.load(receivers, { topic: 'hundred', rate: calmRate, connections: seedCount });
  await receivers.call('close');

  return [
    atMost('registering a connection, mean of sluice_handshake_seconds', handshakes.mean * 1000, 1, 'ms'),
    atMost(
      'one message, mean of sluice_delivery_seconds',
      since(one.before, one.after, delivery).mean * 1000,
      1,
      'ms',
    ),
    atMost('100 receivers, p99 as they see it', hundred.received.latency.p99Ms, 50, 'ms'),
    claim('… nothing lost', one.lost + hundred.lost === 0, one.lost + hundred.lost),
  ];
}

function since(before: Scrape, after: Scrape, name: string) {
  return after.histogram(name).since(before.histogram(name));
}

function loadClaims({ before, after, received, lost }: Part, { connections, rate }: Options): Claim[] {
  const seen = since(before, after, delivery);
  const where = `${connections} connections x ${rate}/s`;
  const gatewayMs = seen.quantile(0.99) * 1000;
  const count = (name: string) => after.value(name) - before.value(name);
  const apart = seen.distance(gatewayMs / 1000, received.latency.p99Ms / 1000);
  return [
    atLeast('connections, by sluice_connections', after.value('sluice_connections'), 1000),
    atMost(`${where}: p99 by sluice_delivery_seconds`, gatewayMs, 100, 'ms'),
    atMost(`${where}: p99 as receivers see it`, received.latency.p99Ms, 100, 'ms'),
    atMost('… buckets between the two', apart, 1),
    claim(`${where}: nothing lost, repeated or out of place`, lost === 0, lost),
    claim(
      '… no drops, by sluice_drops_total',
      count('sluice_drops_total') === 0,
      count('sluice_drops_total'),
    ),
  ];
}

/**
 * With all of them connected, nothing is published: what is left is keeping them. A scrape costs as much as a second
 * of that.
 */
async function heartbeats(rig: Rig, receivers: Worker<ReceiversCalls>, { seconds, connections }: Options) {
  await receivers.call('beat', { everyMs: beatMs });
  const [before, startMs] = [await rig.gateway.scrape(), performance.now()];
  await setTimeout(Math.max(seconds * 1000, beatMs / 2));
  const [after, endMs] = [await rig.gateway.scrape(), performance.now()];
  const name = 'process_cpu_seconds_total';
  const cpu = (after.value(name) - before.value(name)) / ((endMs - startMs) / 1000);
  return atMost(`heartbeats of ${connections} connections, and all else when idle: CPU`, cpu * 100, 1, '%');
}

async function hold(
  rig: Rig,
  receivers: Worker<ReceiversCalls>,
  { held, connections }: Options,
): Promise<Claim> {
  await rig.open(receivers, { connections: Math.max(0, held - connections) });
  const open = (await rig.gateway.scrape()).value('sluice_connections');
  return atLeast('connections that it holds, by sluice_connections', open, held);
}

export default scenario(options, async (chosen, say) =>
  withWorkers(async (keep) => {
    const gateway = keep(await startGateway([]));
    const publisher = keep(
      new Worker<PublisherCalls>(new URL('./load/publisher.ts', import.meta.url), loadCore),
    );
    await publisher.call('connect', { port: gateway.port, by: 'http' });
    const rig = new Rig(gateway, publisher, chosen);
    const receivers = keep(startReceivers());
    const { connections, rate } = chosen;

    say('one connection, one message, a hundred receivers');
    const small = await seeds(rig, receivers);
    say(`${connections} connections x ${rate}/s`);
    await rig.open(receivers, { connections, topics: ['load'], probes });
    const loaded = await rig.load(receivers, { topic: 'load', rate, connections });
    say('heartbeats');
    const beats = await heartbeats(rig, receivers, chosen);
    say(`${chosen.held} connections`);
    const held = await hold(rig, receivers, chosen);
    const { latency, cpu, loopDelayP99Ms } = loaded.received;
    const gatewayMs = since(loaded.before, loaded.after, delivery);
    return {
      tables: [
        {
          title: `${connections} connections x ${rate}/s, published by HTTP, default settings`,
          columns: ['', 'p50 ms', 'p99 ms', 'load CPU', 'load loop p99 ms', 'publisher late ms'],
          rows: [
            [
              'receivers',
              latency.p50Ms,
              latency.p99Ms,
              percentText(cpu),
              loopDelayP99Ms,
              loaded.report.latestMs,
            ],
            [
              '/metrics, upper bounds',
              gatewayMs.quantile(0.5) * 1000,
              gatewayMs.quantile(0.99) * 1000,
              '',
              '',
              '',
            ],
          ],
        },
      ],
      claims: [...loadClaims(loaded, chosen), held, ...small, beats],
      facts: { received: loaded.received, report: loaded.report },
    };
  }),
);

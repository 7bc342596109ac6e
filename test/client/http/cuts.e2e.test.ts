import { expect, onTestFailed, test } from 'vitest';
import WebSocket from 'ws';
import { SluiceClient, type Transport } from '../../../src/client/index.ts';
import { JsonClient } from '../../../src/client/json/index.ts';
import { platformRuntime } from '../../../src/client/runtime.ts';
import { CuttingProxy } from '../../support/cutting-proxy.ts';
import { gatewayOfFile, state } from '../../support/sdk.ts';

const everyTransport: readonly Transport[] = ['websocket', 'sse', 'poll'];
const transports = [...everyTransport, 'all-in-turn', 'JsonClient'] as const;
const cuts = 100;
const perCut = 100;
const names = ['cut:a', 'cut:b', 'slow', 'cuts:1', 'cuts:2', 'cuts:3'];

const gateway = gatewayOfFile({
  topicHistoryMaxPublications: 10_000,
  handshakesPerSecondPerIp: 10_000,
  httpRequestsPerSecondPerIp: 10_000,
  commandsPerSecond: 10_000,
  // The session of a poll that was cut stays for its client for a while, which takes its place when it comes back.
  connectionsMaxPerIp: 20,
});

/** Numbers below `limit`, the same in each run. */
function draws(seed: number): (limit: number) => number {
  let random = seed;
  return (limit) => {
    random = (random * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((random / 2 ** 31) * limit);
  };
}

/** A network that lets one transport pass. If that is `websocket`, a client with another one looks for it at once. */
class Network {
  passing: Transport = 'websocket';

  options() {
    const network = this;
    class Refusable extends WebSocket {
      constructor(url: string, protocols?: string | string[]) {
        super(network.passing === 'websocket' ? url : url.replace('/ws', '/healthz'), protocols);
      }
    }
    const platform = platformRuntime();
    const pass: typeof fetch = async (input, init) => {
      const [path] = /(sse|poll)$/.exec(new URL(String(input)).pathname) ?? [this.passing];
      if (path !== this.passing) throw new TypeError('refused');
      return fetch(input, init);
    };
    const setTimeout: typeof platform.setTimeout = (run, delayMs) =>
      platform.setTimeout(run, run.name === 'look' && this.passing === 'websocket' ? 1 : delayMs);
    return { WebSocket: Refusable, runtime: { ...platform, fetch: pass, setTimeout } };
  }
}

/** An application that keeps what its callback is given, by topic. */
async function openReader(transport: (typeof transports)[number]) {
  const proxy = await CuttingProxy.open(gateway.wsUrl);
  const reconnect = { delaysMs: [1] };
  const options = { WebSocket, reconnect };
  const network = new Network();
  const open = () => {
    // The small client has what is used of the other here.
    if (transport === 'JsonClient') return new JsonClient(proxy.wsUrl, options) as unknown as SluiceClient;
    if (transport === 'all-in-turn')
      return new SluiceClient(proxy.wsUrl, { reconnect, ...network.options() });
    return new SluiceClient(proxy.wsUrl, { ...options, transports: [transport] });
  };
  const client = open();
  const connectedBy = new Set<Transport>();
  if (transport === 'all-in-turn') client.on('connect', () => connectedBy.add(client.getStatus().transport));
  const seen = new Map<string, number[]>(names.map((name) => [`${transport}:${name}`, []]));
  const lost: unknown[] = [];
  let count = 0;
  let told = () => {};
  // Told if the test fails, also where nothing comes any more.
  const story: string[] = [];
  client.on('error', ({ code, message }) => story.push(`${code}: ${message}`));
  client.on('state', (change) => story.push(change.state));
  onTestFailed(() => console.error(`${count} came, ${proxy.cuts} cuts`, story.slice(-20)));
  const live: Promise<void>[] = [];
  for (const [target, options] of [
    ['cut:a', {}],
    ['cut:b', {}],
    ['cuts:*', {}],
    ['slow', { intervalMs: 50 }],
  ] as const) {
    const subscription = client.subscribe(`${transport}:${target}`, options, ({ topic, offset }) => {
      seen.get(topic)?.push(offset);
      count++;
      told();
    });
    subscription.on('gap', (gap) => lost.push(gap));
    subscription.on('state', (now) => story.push(`${target} ${now}`));
    live.push(state(subscription, 'live'));
  }
  // The first attempt may fail: the client goes on.
  client.connect().catch(() => undefined);
  await Promise.all(live);
  return {
    proxy,
    network,
    connectedBy,
    seen,
    lost,
    async has(publications: number): Promise<void> {
      while (count < publications) {
        await new Promise<void>((resolve) => {
          told = resolve;
        });
      }
    },
    close() {
      client.close();
      proxy.close();
    },
  };
}

test.each(transports)(
  'through a hundred cuts an application gets 10 000 publications once and in order, by %s',
  async (transport) => {
    const topics = names.map((name) => `${transport}:${name}`);
    const reader = await openReader(transport);
    const sent = new Map<string, number>(topics.map((topic) => [topic, 0]));
    const draw = draws(7);
    for (let cut = 0; cut < cuts; cut++) {
      reader.network.passing = everyTransport[draw(everyTransport.length)] as Transport;
      // The next publications have more bytes than this, also compressed.
      const isCut = reader.proxy.cutAfter(1 + draw(5000));
      const items = Array.from({ length: perCut }, () => {
        const topic = topics[draw(topics.length)] as string;
        sent.set(topic, (sent.get(topic) as number) + 1);
        return { topic, type: 'e', data: Array.from({ length: 20 }, () => draw(10_000)) };
      });
      await gateway.publish(items);
      await isCut;
    }
    await reader.has(cuts * perCut);
    const all = topics.map((topic) => [topic, Array.from({ length: sent.get(topic) ?? 0 }, (_, i) => i + 1)]);
    const { proxy, seen, lost, connectedBy } = reader;
    expect([proxy.cuts, lost, [...seen]]).toEqual([cuts, [], all]);
    if (transport === 'all-in-turn') expect(connectedBy).toEqual(new Set(everyTransport));
    reader.close();
  },
);

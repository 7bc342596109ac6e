import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { lastingPort } from '../support/gateway-process.ts';
import { upTo } from '../support/numbers.ts';
import { ProxyProcess } from '../support/proxy-process.ts';
import { type RedisProcess, startRedis } from '../support/redis-server.ts';
import { clientOfTest, state } from '../support/sdk.ts';
import { publicationsOf, SseClient } from '../support/sse-client.ts';
import { newFile, newFolder } from '../support/temporary.ts';
import { apiKey } from '../support/tokens.ts';

const folder = newFolder();
const page = readFileSync(join(import.meta.dirname, '../../src/transport/uws/BALANCERS.md'), 'utf8');
const names = ['haproxy', 'nginx'] as const;
type Name = (typeof names)[number];
const ports = { haproxy: 0, nginx: 0 };
const proxies: ProxyProcess[] = [];
const file = newFile('sluice.yaml', 'namespaces: { state: { mode: state } }\n');
let redis: RedisProcess;
const gateways: TestGateway[] = [];

const flags = (port: number) => ({
  port,
  engine: 'redis',
  redis: redis.url,
  drainSeconds: 1,
  apiKeys: [apiKey],
  anonymous: true,
  trustedProxies: ['127.0.0.1'],
  handshakesPerSecondPerIp: 10_000,
  connectionsMaxPerIp: 5000,
  commandsPerSecond: 10_000,
  httpConnectionsPerSecondPerIp: 10_000,
});

/** What the page says of this balancer, with the addresses of this test, and gateways in turn. */
function configured(name: Name): string {
  const [, lines = ''] = new RegExp(`\`\`\`${name}\\n(.*?)\`\`\``, 's').exec(page) ?? [];
  return lines
    .replace(/(bind |listen )[*:]*80\b/, `$1127.0.0.1:${ports[name]}`)
    .replace(/least_conn;|balance leastconn/, name === 'nginx' ? '' : 'balance roundrobin')
    .replace('10.0.0.1:8080', `127.0.0.1:${gateways[0]?.port}`)
    .replace('10.0.0.2:8080', `127.0.0.1:${gateways[1]?.port}`);
}

beforeAll(async () => {
  redis = await startRedis();
  // To be started on again.
  for (const port of [await lastingPort(), await lastingPort()])
    gateways.push(await startGateway(flags(port), file));
  for (const name of names) ports[name] = await lastingPort();
  const started = [
    ProxyProcess.haproxy(folder, configured('haproxy'), [ports.haproxy]),
    ProxyProcess.nginx(folder, configured('nginx'), [ports.nginx]),
  ];
  proxies.push(...(await Promise.all(started)));
});

afterAll(async () => {
  await Promise.all(proxies.map((proxy) => proxy.end()));
  await Promise.all(gateways.map((gateway) => gateway.close()));
  await redis.remove();
});

const offsetsOf = (events: readonly Record<string, unknown>[], topic: string) =>
  events
    .flatMap(publicationsOf)
    .filter((each) => each.topic === topic)
    .map(({ offset }) => offset);

/** At each gateway in turn. */
const publish = (items: readonly object[], turn = 0) =>
  (gateways[turn % gateways.length] as TestGateway).publish(items, { 'x-api-key': apiKey });

/** Polls one after the other, as a client without a library does. */
class Poller {
  readonly events: Record<string, unknown>[] = [];
  readonly #url: string;
  #cursor = '';

  constructor(port: number, query: string) {
    this.#url = `http://127.0.0.1:${port}/poll?${query}`;
  }

  async poll(timeoutSeconds = 5): Promise<void> {
    const answer = await fetch(`${this.#url}&timeoutSeconds=${timeoutSeconds}&cursor=${this.#cursor}`);
    expect([200, 204]).toContain(answer.status);
    this.#cursor = answer.headers.get('sluice-cursor') ?? '';
    if (answer.status === 200)
      this.events.push(...((await answer.json()) as { events: Record<string, unknown>[] }).events);
  }

  /** Each gateway has a session of its own for it, as long as that of another one did not go on. */
  get sessions(): number {
    return this.events.filter(({ type }) => type === 'connected').length;
  }
}

/** A client by the SDK: the offsets that it gets, from the last ones on. */
async function subscribed(name: Name, topic: string, last: number): Promise<number[]> {
  const client = clientOfTest(`ws://127.0.0.1:${ports[name]}/ws`);
  const offsets: number[] = [];
  const subscription = client.subscribe(topic, { last }, ({ offset }) => offsets.push(offset));
  await client.connect();
  await state(subscription, 'live');
  return offsets;
}

/** One stream after the other, each from the id of the last event. */
async function streamed(port: number, topic: string, upto: number, timesCut: number): Promise<number[]> {
  const offsets: number[] = [];
  let lastEventId = '';
  for (let part = 1; offsets.length < upto; part++) {
    const headers: Record<string, string> = lastEventId === '' ? {} : { 'last-event-id': lastEventId };
    const client = await SseClient.open({ port, path: `/sse?topic=${topic}&last=${upto}`, headers });
    const wanted = Math.min(upto, Math.ceil((part * upto) / timesCut)) - offsets.length;
    await client.until(() => client.publications.filter((each) => each.topic === topic).length >= wanted);
    offsets.push(...offsetsOf(client.frames, topic));
    lastEventId = client.parser.lastEventId;
    client.close();
  }
  return offsets;
}

describe.each(names)('behind %s without stickiness', (name) => {
  test('clients of every transport get each publication once and in order, at whichever gateway, cuts included', async () => {
    const port = ports[name];
    const [topic, count] = [`bal:${name}`, 80];
    await publish([{ topic, data: 1 }]);
    const received = await Promise.all(upTo(2).map(() => subscribed(name, topic, count)));
    const poller = new Poller(port, `topic=${topic}&last=${count}`);
    await poller.poll();
    const polling = (async () => {
      while (offsetsOf(poller.events, topic).length < count) await poller.poll();
    })();
    const streaming = streamed(port, topic, count, 4);
    for (const n of upTo(count - 1)) {
      await publish([{ topic, data: n + 1 }], n);
      if (n % 25 === 0) await cutSockets(n / 25);
    }
    await polling;
    for (const offsets of received) await expect.poll(() => offsets).toEqual(upTo(count));
    expect(offsetsOf(poller.events, topic)).toEqual(upTo(count));
    expect(poller.sessions).toBeGreaterThan(5);
    expect(await streaming).toEqual(upTo(count));
  });

  test('polls that alternate between gateways get the values of state topics, however many', async () => {
    const one = `state:${name}`;
    const large = upTo(300).map((n) => ({ topic: one, key: String(n), data: 'x'.repeat(1000) }));
    await publish(large);
    await publish(upTo(60).map((n) => ({ topic: `${one}:${n}`, key: 'k', data: 'x'.repeat(2000) })));
    const poller = new Poller(ports[name], `topic=${one}&topic=${one}:*`);
    for (let polls = 1; polls <= 3; polls++) await poller.poll(0);
    const snapshots = poller.events.filter(({ type }) => type === 'snapshot');
    expect(offsetsOf(snapshots, one)).toHaveLength(300);
    expect(new Set(snapshots.map(({ topic }) => topic)).size).toBe(61);
  });
});

/** Sessions by polls that a gateway has opened. */
function polledAt(gateway: TestGateway): Promise<number> {
  return gateway.metric('sluice_connections_total{transport="poll"}', { 'x-api-key': apiKey });
}

/** Ends every WebSocket at one of the gateways. */
async function cutSockets(turn: number): Promise<void> {
  const gateway = gateways[turn % 2] as TestGateway;
  const headers = { 'x-api-key': apiKey };
  const listed = await fetch(`${gateway.url}/api/connections`, { headers });
  const { connections } = (await listed.json()) as { connections: { id: string; transport: string }[] };
  for (const { id } of connections.filter(({ transport }) => transport === 'websocket'))
    await gateway.post(`/api/connections/${id}/disconnect`, '{"mayReconnect":true}', headers);
}

test('gateways that are restarted in turn lose nothing, and refuse no client', async () => {
  const topic = 'rolling';
  const received = await Promise.all(names.map((name) => subscribed(name, topic, 1000)));
  const pollers = names.map((name) => new Poller(ports[name], `topic=${topic}&last=1000`));
  let count = 0;
  let isOver = false;
  const polling = pollers.map(async (poller) => {
    while (!isOver || offsetsOf(poller.events, topic).length < count) await poller.poll(1);
  });
  for (const node of [0, 1]) {
    const ending = gateways[node] as TestGateway;
    let isEnded = false;
    const end = ending.close().then(() => {
      isEnded = true;
    });
    for (let tries = 0; !isEnded || tries < 5; tries++) {
      await publish([{ topic, data: ++count }], 1 - node);
      for (const name of names) {
        await new Poller(ports[name], 'topic=b').poll(0);
        const client = clientOfTest(`ws://127.0.0.1:${ports[name]}/ws`, { maxReconnectAttempts: 0 });
        await client.connect();
        client.close();
      }
    }
    await end;
    const started = await startGateway(flags(ending.port), file);
    gateways[node] = started;
    // Until both balancers use it.
    for (const name of names) {
      const before = await polledAt(started);
      const poller = new Poller(ports[name], 'topic=a');
      while ((await polledAt(started)) === before) await poller.poll(0);
    }
  }
  isOver = true;
  await Promise.all(polling);
  for (const poller of pollers) expect(offsetsOf(poller.events, topic)).toEqual(upTo(count));
  for (const offsets of received) await expect.poll(() => offsets).toEqual(upTo(count));
});

import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { GatewayProcess, lastingPort } from '../support/gateway-process.ts';
import { JsonClient } from '../support/json-client.ts';
import { upTo } from '../support/numbers.ts';
import { ofTest, opened } from '../support/opened.ts';
import { RawSocket } from '../support/raw-socket.ts';
import { clientOfTest, state } from '../support/sdk.ts';
import { newFolder } from '../support/temporary.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';

const perIpMax = 60;
const folder = newFolder();
const unixSocket = join(folder, 'gateway.sock');
let gateway: GatewayProcess;
let wsUrl: string;
let proxyPort: number;

beforeAll(async () => {
  proxyPort = await lastingPort();
  gateway = await GatewayProcess.start(
    ...[
      '--unix-socket',
      unixSocket,
      '--proxy-port',
      String(proxyPort),
      '--trusted-proxy',
      '127.0.0.2',
      '--api-key',
      apiKey,
    ],
    ...['--port', '0', '--workers', '2', '--connections-max-per-ip', String(perIpMax), '--compat', 'b'],
    ...['--handshakes-per-second-per-ip', '100000', '--http-connections-per-second-per-ip', '100000'],
  );
  wsUrl = `${gateway.url.replace('http', 'ws')}/ws?token=${apiKey}`;
});

afterAll(() => gateway?.kill());

/** Each request on a connection of its own, so that any worker may get it. */
async function get<T>(path: string): Promise<T> {
  const response = await fetch(gateway.url + path, { headers });
  return (await response.json()) as T;
}

/** The kernel spreads connections over the workers by their ports: of many, each worker has some. */
function openClients(count: number): Promise<JsonClient[]> {
  return Promise.all(Array.from({ length: count }, () => open(wsUrl)));
}

/** Live subscriptions of the SDK to a topic, and the offsets that each sees. */
function openSdkClients(count: number, topic: string) {
  return Promise.all(
    upTo(count).map(async () => {
      const client = clientOfTest(wsUrl);
      const seen: number[] = [];
      const losses: unknown[] = [];
      const subscription = client.subscribe(topic, {}, ({ offset }) => seen.push(offset));
      subscription.on('gap', (gap) => losses.push(gap));
      await client.connect();
      await state(subscription, 'live');
      return { client, seen, losses };
    }),
  );
}

const open = (...args: Parameters<typeof JsonClient.open>) => opened(JsonClient.open(...args));

// A test counts its own connections: the gateway has heard of the end of all others.
beforeEach(() => expect.poll(active).toBe(0));

async function active(): Promise<number> {
  return (await get<{ connections: { active: number } }>('/api/stats')).connections.active;
}

/** Of all processes together, those that have ended included. */
const publications = () => gateway.metric('sluice_publications_total', headers);

function workers(): number[] {
  return readFileSync(`/proc/${gateway.pid}/task/${gateway.pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .map(Number);
}

/** Each on a connection of its own. */
const headers = { 'x-api-key': apiKey, connection: 'close' };

describe('a gateway of two processes', () => {
  test('publishes everywhere what comes anywhere, once and in order', async () => {
    const clients = await openClients(24);
    for (const client of clients) await client.call({ type: 'subscribe', topic: 'shared' });
    const publishes = 200;
    const replies = await Promise.all(
      upTo(publishes).map((n) =>
        (clients[n % clients.length] as JsonClient).call({
          type: 'publish',
          topic: 'shared',
          event: 'e',
          data: n,
        }),
      ),
    );
    expect(replies.map(({ offset }) => Number(offset)).sort((a, b) => a - b)).toEqual(upTo(publishes));
    for (const client of clients) {
      const got = await client.count('shared', publishes);
      expect(got.map(({ offset }) => offset)).toEqual(upTo(publishes));
    }
    const late = await openClients(8);
    for (const client of late) {
      await client.call({ type: 'subscribe', topic: 'shared', last: 3 });
      expect((await client.count('shared', 3)).map(({ offset }) => offset)).toEqual([198, 199, 200]);
    }
  });

  test('holds all processes together to one cap, exactly', async () => {
    const asked = await Promise.allSettled(upTo(perIpMax + 20).map(() => open(wsUrl)));
    const admitted = asked.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    expect(admitted).toHaveLength(perIpMax);
    await admitted[0]?.close();
    await eventually(() => open(wsUrl));
    await expect(open(wsUrl)).rejects.toThrow();
  });

  test('says of all processes together how many there are, and lists them', async () => {
    const published = await publications();
    const clients = await openClients(20);
    for (const client of clients) await client.call({ type: 'subscribe', topic: 'counted' });
    await clients[0]?.call({ type: 'publish', topic: 'counted', event: 'e', data: 1 });
    for (const client of clients) await client.count('counted', 1);
    expect(await active()).toBe(20);
    expect(await get('/api/topics/counted')).toMatchObject({ subscribers: 20, offset: 1 });
    const ids: string[] = [];
    for (let after = ''; ; ) {
      const page = await get<{ count: number; connections: { id: string }[]; next?: string }>(
        `/api/connections?limit=7&after=${encodeURIComponent(after)}`,
      );
      expect(page.count).toBe(20);
      ids.push(...page.connections.map(({ id }) => id));
      if (page.next === undefined) break;
      after = page.next;
    }
    expect(new Set(ids).size).toBe(20);
    expect(ids).toEqual([...ids].sort());
    const metrics = await (await fetch(`${gateway.url}/metrics`, { headers })).text();
    expect(metrics).toMatch(/^sluice_connections\{transport="websocket"\} 20$/m);
    expect(await publications()).toBe(published + 1);
    expect(metrics).toMatch(/^sluice_deliveries_total [1-9]\d+$/m);
    for (const id of ids.slice(0, 4)) {
      const response = await fetch(`${gateway.url}/api/connections/${id}/disconnect`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
      });
      expect(response.status).toBe(200);
    }
    await expect.poll(() => clients.filter(({ closed }) => closed !== undefined).length).toBe(4);
  });

  test('tells backends of an older system of its clients in all processes', async () => {
    const url = wsUrl.replace('/ws?', '/market/ws?');
    const feeds = Array.from({ length: 20 }, () => ofTest(new JsonClient(url)));
    const counted = async (feed: JsonClient) => {
      await once(feed.socket, 'open');
      for (const type of ['subscribe', 'get_status'])
        feed.socket.send(JSON.stringify({ type, symbol: 'BTC/USDT' }));
      return feed.until(({ type }) => type === 'status');
    };
    await Promise.all(feeds.map(counted));
    const expected = { active_connections: 20, total_connections: 20, subscriptions: { 'BTC/USDT': 20 } };
    // Each process may remember for a moment what it told before.
    for (let i = 0; i < 10; i++) await expect.poll(() => get('/market/stats')).toMatchObject(expected);
  });

  test('knows in every process who is in a topic', async () => {
    const watcher = await open(wsUrl);
    await watcher.call({ type: 'subscribe', topic: 'room', presence: true });
    const clients = await openClients(12);
    for (const client of clients) await client.call({ type: 'subscribe', topic: 'room' });
    await expect.poll(() => watcher.frames.filter(({ type }) => type === 'joined').length).toBe(12);
    // The other process is told of the last ones on its own.
    for (const client of clients)
      await expect.poll(() => client.call({ type: 'presence', topic: 'room' })).toMatchObject({ count: 13 });
  });

  test('shares the unix socket and the proxy port, whose clients count by the address that the proxy names', async () => {
    const bySocket = upTo(6).map((n) =>
      open(`ws+unix://${unixSocket}:/ws?token=${apiKey}`, [], {
        headers: { 'x-forwarded-for': `203.0.113.${n}` },
      }),
    );
    const byProxy = upTo(6).map((n) =>
      open(`ws://127.0.0.1:${proxyPort}/ws?token=${apiKey}`, [], {
        createConnection: () => {
          const socket = connect({ port: proxyPort, host: '127.0.0.1', localAddress: '127.0.0.2' });
          socket.write(`PROXY TCP4 198.51.100.${n} 127.0.0.1 1 2\r\n`);
          return socket;
        },
      }),
    );
    const clients = await Promise.all([...bySocket, ...byProxy]);
    for (const client of clients) expect(await client.call({ type: 'ping' })).toMatchObject({ type: 'pong' });
    const { connections } = await get<{ connections: { address: string }[] }>('/api/connections');
    expect(connections.map(({ address }) => address).sort()).toEqual([
      ...upTo(6).map((n) => `198.51.100.${n}`),
      ...upTo(6).map((n) => `203.0.113.${n}`),
    ]);
    await expect(open(`ws://127.0.0.1:${proxyPort}/ws?token=${apiKey}`)).rejects.toThrow();
  });

  test('serves polls by whichever process they come to, as one connection, without loss', async () => {
    let cursor = '';
    const seen: unknown[] = [];
    for (let n = 1; n <= 12; n++) {
      await fetch(`${gateway.url}/api/publish`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ topic: 'polled', type: 'e', data: n }),
      });
      const asked = cursor === '' ? 'last=100' : `cursor=${encodeURIComponent(cursor)}`;
      const response = await fetch(`${gateway.url}/poll?topic=polled&${asked}&timeoutSeconds=5`, {
        headers,
      });
      expect(response.status).toBe(200);
      cursor = response.headers.get('sluice-cursor') ?? '';
      const { events } = (await response.json()) as {
        events: { data?: unknown; messages?: { data: unknown }[] }[];
      };
      for (const event of events)
        seen.push(...(event.messages ?? [event]).flatMap(({ data }) => (data === undefined ? [] : [data])));
    }
    expect(seen).toEqual(upTo(12));
    await expect.poll(() => active()).toBe(1);
  });

  test('loses nothing when one of its processes is killed, and starts another', async () => {
    const before = workers();
    const publishedBefore = await publications();
    const watcher = await openClients(16);
    for (const client of watcher) await client.call({ type: 'subscribe', topic: 'kept', presence: true });
    for (let n = 1; n <= 5; n++)
      await watcher[n]?.call({ type: 'publish', topic: 'kept', event: 'e', data: n });
    const withSdk = await openSdkClients(24, 'flow');
    let published = 0;
    const flow = async (wanted: number) => {
      for (; published < wanted; published++)
        await eventually(() => gateway.publish('flow', 'e', 'k', 1, headers).then(() => true));
    };
    await flow(20);
    process.kill(before[0] as number, 'SIGKILL');
    await flow(40);
    const unclosed = () => watcher.filter(({ closed }) => closed === undefined);
    const told = (client: JsonClient) => client.frames.filter(({ type }) => type === 'left').length;
    // All connections of the killed process end, and each that is left is told of each of them.
    const isToldOfAll = () => {
      const gone = watcher.length - unclosed().length;
      return gone > 0 && unclosed().every((client) => told(client) === gone);
    };
    await expect.poll(isToldOfAll).toBe(true);
    const left = unclosed();
    for (const { closed } of watcher) if (closed !== undefined) expect(closed.code).toBe(1006);
    await expect.poll(() => workers().filter((pid) => !before.includes(pid)).length).toBe(1);
    // Whichever process it comes to has all that was published.
    const returned = await eventually(() => openClients(16));
    for (const client of returned) {
      expect(await client.call({ type: 'subscribe', topic: 'kept', last: 10 })).toMatchObject({
        type: 'subscribed',
      });
      expect((await client.count('kept', 5)).map(({ data }) => data)).toEqual(upTo(5));
    }
    // By their backoff the clients of the SDK are back, and have missed nothing.
    for (const { seen } of withSdk) await expect.poll(() => seen.length).toBeGreaterThanOrEqual(published);
    const again = withSdk.filter(({ client }) => client.getStats().connects > 1).length;
    expect([again > 0, again < withSdk.length]).toEqual([true, true]);
    for (const { client, seen, losses } of withSdk) {
      expect([seen, losses]).toEqual([upTo(seen.length), []]);
      client.close();
    }
    await returned[0]?.call({ type: 'publish', topic: 'kept', event: 'e', data: 6 });
    for (const client of [...returned, ...left])
      expect((await client.count('kept', 6)).at(-1)).toMatchObject({ data: 6, offset: 6 });
    expect(await publications()).toBe(publishedBefore + 6 + (withSdk[0]?.seen.length ?? 0));
  });

  test('opens WebSockets for its first clients without a warning of the library', async () => {
    const started = await GatewayProcess.start('--port', '0', '--workers', '2');
    try {
      const clients = await Promise.all(Array.from({ length: 10 }, () => RawSocket.webSocket(started.port)));
      await started.stop();
      await Promise.all(clients.map((client) => client.end()));
      expect(started.complaints).not.toContain('corked');
    } finally {
      await started.kill();
    }
  });

  test('a worker that drains ends at once when its parent ends, as at a second signal', async () => {
    const application = createServer();
    application.listen(0, '127.0.0.1');
    await once(application, 'listening');
    const { port } = application.address() as AddressInfo;
    const draining = await GatewayProcess.start(
      ...['--port', '0', '--workers', '2', '--token-secret', tokenSecret],
      ...['--hook-publish', `http://127.0.0.1:${port}`, '--hook-timeout-ms', '60000'],
      ...['--hook-secret', 'x'.repeat(40), '--shutdown-grace-seconds', '300'],
    );
    try {
      const token = await signToken({ topics: [{ pattern: '*', allow: ['publish'] }] });
      const asked = once(application, 'request');
      const published = draining
        .publish('t', 'u', '', 1, { authorization: `Bearer ${token}` })
        .catch((error: unknown) => error);
      await asked;
      const stopped = draining.stop();
      // Each worker stops listening when it hears that it is to drain.
      await expect.poll(() => fetch(draining.url).catch(({ cause }) => cause.code)).toBe('ECONNREFUSED');
      await draining.kill();
      await stopped;
      expect(await published).toMatchObject({ message: 'fetch failed' });
    } finally {
      await draining.kill();
      application.closeAllConnections();
      application.close();
    }
  });

  test('tells every client to come back, and ends', async () => {
    const clients = await openClients(10);
    const code = await gateway.stop();
    expect(code).toBe(0);
    expect(existsSync(unixSocket)).toBe(false);
    for (const client of clients) {
      await client.end();
      expect(client.frames.at(-1)).toMatchObject({ type: 'goingAway' });
    }
  });
});

/** What fails until the gateway has heard of what happened before. */
async function eventually<T>(run: () => Promise<T>): Promise<T> {
  let result: T | undefined;
  await expect
    .poll(async () => {
      result = await run().catch(() => undefined);
      return result !== undefined;
    })
    .toBe(true);
  return result as T;
}

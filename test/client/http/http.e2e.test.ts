import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import WebSocket from 'ws';
import { type ClientOptions, SluiceClient } from '../../../src/client/index.ts';
import { platformRuntime, type Runtime } from '../../../src/client/runtime.ts';
import type { TestGateway } from '../../support/gateway.ts';
import { upTo } from '../../support/numbers.ts';
import { ofTest } from '../../support/opened.ts';
import { gatewayOfFile, gatewayOfTest } from '../../support/sdk.ts';
import { apiKey, signToken, tokenSecret } from '../../support/tokens.ts';

const gateway = gatewayOfFile({
  tokenSecret,
  anonymous: true,
  connectionsMaxPerIp: 1000,
  handshakesPerSecondPerIp: 10_000,
});

function clientAt(url: string, options: ClientOptions): SluiceClient {
  const client = ofTest(new SluiceClient(url, { WebSocket, jitter: 'none', ...options }));
  client.onError(() => undefined);
  return client;
}

async function publish(topic: string, count: number, more: object = {}): Promise<void> {
  for (let i = 0; i < count; i++) await gateway.publish({ topic, data: i, ...more });
}

/** Subscribes, and waits until it is live. */
async function offsetsOf(client: SluiceClient, topic: string, options = {}): Promise<number[]> {
  const offsets: number[] = [];
  const subscription = client.subscribe(topic, options, ({ offset }) => offsets.push(offset));
  subscription.on('gap', (gap) => offsets.push(Number.NaN, gap.missing?.after ?? -1));
  await new Promise<void>((resolve) => {
    subscription.on('state', (state) => state === 'live' && resolve());
  });
  return offsets;
}

describe.each(['sse', 'poll'] as const)('a client by %s', (transport) => {
  const clientOf = (options: ClientOptions = {}, url = gateway.wsUrl) =>
    clientAt(url, { transports: [transport], ...options });

  it('subscribes, publishes and reads history as over a WebSocket', async () => {
    const client = clientOf();
    const greeting = await client.connect();
    expect([client.getStatus().transport, greeting.limits.subscriptions]).toEqual([transport, 100]);
    const heard: unknown[] = [];
    const subscription = client.subscribe(`all-${transport}`, {}, ({ data, key, tags, type }) => {
      heard.push([data, key, tags, type]);
    });
    await new Promise<void>((resolve) => {
      subscription.on('state', (state) => state === 'live' && resolve());
    });
    const options = { key: 'k', tags: { a: 'b' }, timestampMs: 1_700_000_000_000 };
    const place = await client.publish(`all-${transport}`, 'update', { n: [1, 'ü'] }, options);
    expect(place).toMatchObject({ offset: 1, epoch: expect.any(String) });
    const large = new Uint8Array(60_000).fill(255);
    await client.publish(`all-${transport}`, 'bytes', large);
    await expect.poll(() => heard).toHaveLength(2);
    expect(heard).toEqual([
      [{ n: [1, 'ü'] }, 'k', { a: 'b' }, 'update'],
      [large, undefined, {}, 'bytes'],
    ]);
    const page = await client.history(`all-${transport}`, { limit: 1 });
    expect(page.publications.map(({ data, timestampMs }) => [data, timestampMs])).toEqual([
      [{ n: [1, 'ü'] }, 1_700_000_000_000],
    ]);
    await expect(client.publish('no topic', 'update')).rejects.toMatchObject({ code: 'invalid_topic' });
    await expect(client.presence(`all-${transport}`)).rejects.toMatchObject({ code: 'not_supported' });
  });

  it('changes its topics without losing or repeating anything', async () => {
    const client = clientOf();
    void client.connect();
    const first = await offsetsOf(client, `first-${transport}`);
    const publishing = publish(`first-${transport}`, 60);
    await expect.poll(() => first.length).toBeGreaterThan(5);
    const second = await offsetsOf(client, `second-${transport}`);
    const pattern = await offsetsOf(client, `third-${transport}:*`);
    const late = await offsetsOf(client, `first-${transport}`, {
      since: { epoch: '', offset: 0 },
      intervalMs: 50,
    });
    await publish(`second-${transport}`, 3);
    await publish(`third-${transport}:a`, 2);
    await publishing;
    await expect.poll(() => first).toEqual(upTo(60));
    await expect.poll(() => late).toEqual(upTo(60));
    await expect.poll(() => second).toEqual(upTo(3));
    await expect.poll(() => pattern).toEqual(upTo(2));
  });

  it.each([
    ['a topic', ''],
    ['a pattern', '*'],
  ])('continues after offsets that held nothing for its filter, of %s', async (_, end) => {
    const name = `quiet-${transport}${end.length}`;
    const client = clientOf();
    void client.connect();
    const filter = { op: 'eq', tag: 'level', value: 'high' };
    const high = await offsetsOf(client, name + end, { filter });
    const other = await offsetsOf(client, `other-${name}`);
    await publish(name, 1, { tags: { level: 'high' } });
    await expect.poll(() => high).toEqual([1]);
    await publish(name, 2, { tags: { level: 'low' } });
    // The cursor of this one also covers what the filter has left out.
    await publish(`other-${name}`, 1);
    await expect.poll(() => other).toEqual([1]);
    await offsetsOf(client, `new-${name}`);
    await publish(name, 1, { tags: { level: 'high' } });
    await expect.poll(() => high).toEqual([1, 4]);
    expect(client.getStats().gaps).toBe(0);
  });

  it('has live maps of state topics', async () => {
    await publish(`server:${transport}`, 1, { key: 'a' });
    const client = clientOf();
    void client.connect();
    const subscription = client.subscribe<number>(`server:${transport}`);
    const map = () => Object.fromEntries([...subscription.current()].map(([key, { data }]) => [key, data]));
    await expect.poll(map).toEqual({ a: 0 });
    await publish(`server:${transport}`, 2, { key: 'b' });
    client.subscribe('other');
    await publish(`server:${transport}`, 1, { key: 'a', removed: true, data: null });
    await expect.poll(map).toEqual({ b: 1 });
  });

  it('leaves its own publications out where it says exceptSelf', async () => {
    const client = clientOf();
    void client.connect();
    const offsets = await offsetsOf(client, `own-${transport}`);
    await offsetsOf(client, `another-${transport}`);
    await client.publish(`own-${transport}`, 'update', 1, { exceptSelf: true });
    await client.publish(`own-${transport}`, 'update', 2);
    await expect.poll(() => offsets).toEqual([2]);
  });

  it('is told of a topic that it may not have, and goes on with the others', async () => {
    const client = clientOf();
    void client.connect();
    const refused = client.subscribe('$secret');
    const offsets = await offsetsOf(client, `granted-${transport}`);
    await expect.poll(() => refused.state).toBe('refused');
    expect(refused.error?.code).toBe('forbidden');
    await publish(`granted-${transport}`, 2);
    await expect.poll(() => offsets).toEqual([1, 2]);
  });

  it('knows what it has, by its own numbers', async () => {
    const client = clientOf();
    const { session } = await client.connect();
    await offsetsOf(client, `known-${transport}`);
    const { subscriptions, ...status } = await client.status();
    expect(status.session).toBe(session);
    expect(subscriptions.map(({ topic }) => topic)).toEqual(['$all', `known-${transport}`]);
    expect(new Set(subscriptions.map(({ view }) => view)).size).toBe(2);
  });

  it('hands a new token over, and is told what that does not permit, without a gap in the rest', async () => {
    const guarded = await gatewayOfTest({ tokenSecret, apiKeys: [apiKey] });
    const [kept, lost] = ['kept', 'lost'];
    const publishKept = (data: number) => guarded.publish({ topic: kept, data }, { 'x-api-key': apiKey });
    const tokens = [[kept, lost], [kept]].map((names) => {
      const topics = names.map((pattern) => ({ pattern, allow: ['subscribe'] }));
      return signToken({ sub: 'alice', topics }, { expiresIn: '1m' });
    });
    const given: string[] = [];
    const token = async () => {
      given.push((await tokens[Math.min(given.length, 1)]) ?? '');
      return given.at(-1) ?? '';
    };
    // A token is renewed after three quarters of its minute: here after a second and a half.
    const real = platformRuntime();
    const runtime: Runtime = {
      ...real,
      setTimeout: (run, delayMs) => real.setTimeout(run, delayMs > 40_000 ? delayMs / 30 : delayMs),
    };
    const client = clientOf({ token, runtime }, guarded.wsUrl);
    const disconnects: unknown[] = [];
    client.onDisconnect((closed) => disconnects.push(closed));
    void client.connect();
    const ended = client.subscribe(lost);
    const offsets = await offsetsOf(client, kept);
    await publishKept(1);
    await expect.poll(() => ended.state).toBe('refused');
    expect(ended.error).toMatchObject({ code: 'forbidden', retry: false });
    await publishKept(2);
    await expect.poll(() => offsets).toEqual(upTo(2));
    expect([disconnects, given.length]).toEqual([[], 2]);
  });

  it('is told why it is refused', async () => {
    const guarded = await gatewayOfTest({ apiKeys: ['an-api-key-of-some-length'] });
    const client = clientOf({}, guarded.wsUrl);
    await expect(client.connect()).rejects.toMatchObject({ code: 'unauthorized' });
  });
});

/** A proxy in front of the gateway that passes requests on, and refuses upgrades. */
async function startProxy() {
  let { port: target } = gateway;
  /** Of each stream this many events are passed on. */
  let eventsPassed = Number.POSITIVE_INFINITY;
  const sockets = new Set<Socket>();
  const server = createServer((incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { method, url: path, headers } = incoming;
    const passed = httpRequest({ port: target, host: '127.0.0.1', method, path, headers }, (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      // As one does that passes a response on when it has all of it, or enough of it.
      if (path !== '/sse') response.pipe(outgoing);
      let events = 0;
      response.on('data', (piece: Buffer) => {
        events += piece.toString().split('\n\n').length - 1;
        if (path === '/sse' && events <= eventsPassed) outgoing.write(piece);
      });
    });
    passed.on('error', () => outgoing.destroy());
    outgoing.on('close', () => passed.destroy());
    incoming.pipe(passed);
  });
  server.on('upgrade', (_incoming, socket: Socket) => {
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(() => {
    cut();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `ws://127.0.0.1:${port}/ws`,
    cut,
    holdStreams(after: number) {
      eventsPassed = after;
    },
    /** Requests from now on go to another gateway. */
    turnTo(other: TestGateway) {
      target = other.port;
    },
  };
}

/** The platform's, but that `skip` moves its clock on at once; what is due by then runs. */
function skippingRuntime(): { readonly runtime: Runtime; skip(ms: number): void } {
  const real = platformRuntime();
  const timers = new Map<object, { readonly run: () => void; readonly dueAtMs: number }>();
  let skippedMs = 0;
  const monotonicMs = () => real.monotonicMs() + skippedMs;
  const end = (handle: object) => {
    timers.delete(handle);
    real.clearTimeout(handle);
  };
  const runtime: Runtime = {
    ...real,
    monotonicMs,
    setTimeout(callback, delayMs) {
      const run = () => {
        end(handle);
        callback();
      };
      const handle = real.setTimeout(run, delayMs) as object;
      timers.set(handle, { run, dueAtMs: monotonicMs() + delayMs });
      return handle;
    },
    clearTimeout: (handle) => end(handle as object),
  };
  return {
    runtime,
    skip(ms) {
      skippedMs += ms;
      const due = [...timers.values()].filter(({ dueAtMs }) => dueAtMs <= monotonicMs());
      for (const { run } of due) run();
    },
  };
}

describe('behind a proxy', () => {
  it('that holds streams back a client polls', async () => {
    const proxy = await startProxy();
    proxy.holdStreams(0);
    const client = clientAt(proxy.url, { connectTimeoutMs: 1_000 });
    void client.connect().catch(() => undefined);
    const offsets = await offsetsOf(client, 'held');
    expect(client.getStatus().transport).toBe('poll');
    await publish('held', 10);
    await expect.poll(() => offsets).toEqual(upTo(10));
  });

  it('that holds a stream back after its beginning a client polls, without a gap', async () => {
    const proxy = await startProxy();
    const { runtime, skip } = skippingRuntime();
    const client = clientAt(proxy.url, { runtime, connectTimeoutMs: 60_000, transports: ['sse', 'poll'] });
    const transports: string[] = [];
    client.onConnect(() => transports.push(client.getStatus().transport));
    void client.connect();
    const offsets = await offsetsOf(client, 'held-later');
    await publish('held-later', 3);
    await expect.poll(() => offsets).toEqual(upTo(3));
    // Each stream has a beginning, and nothing after it.
    proxy.holdStreams(3);
    await publish('held-later', 7);
    // A stream is silent for too long after 40 s, which the next ping notices by its timeout.
    skip(45_000);
    skip(15_000);
    await expect.poll(() => offsets).toEqual(upTo(10));
    // On a busy machine its pings are late, and it opens more than one stream.
    expect([...new Set(transports)]).toEqual(['sse', 'poll']);
  });

  it('that turns to another gateway a client polls that one, and is told of its numbering', async () => {
    const other = await gatewayOfTest();
    const proxy = await startProxy();
    const client = clientAt(proxy.url, { transports: ['poll'] });
    const disconnects: unknown[] = [];
    client.onDisconnect((closed) => disconnects.push(closed));
    void client.connect();
    const told: unknown[] = [];
    const subscription = client.subscribe('turned', {}, ({ data }) => told.push(data));
    subscription.on('reset', ({ offset }, from) => told.push(['reset', offset, from.offset]));
    await expect.poll(() => subscription.state).toBe('live');
    await publish('turned', 2);
    await expect.poll(() => told).toEqual([0, 1]);
    const there = (data: unknown) => other.publish({ topic: 'turned', data });
    await there('before');
    proxy.turnTo(other);
    // Ends the poll that waits: the next one goes to the other gateway.
    await publish('turned', 1);
    await expect.poll(() => told).toEqual([0, 1, 0, ['reset', 0, 3], 'before']);
    await there('after');
    await expect.poll(() => told.at(-1)).toBe('after');
    expect(disconnects).toEqual([]);
  });

  it.each(['sse', 'poll'] as const)(
    'that cuts %s at random a client sees each publication exactly once, in order',
    async (transport) => {
      const proxy = await startProxy();
      const topic = `cut-${transport}`;
      const reconnect = { delaysMs: [1, 5, 10] };
      const client = clientAt(proxy.url, { reconnect, transports: [transport] } as ClientOptions);
      void client.connect().catch(() => undefined);
      const offsets = await offsetsOf(client, topic);
      for (let round = 0; round < 20; round++) {
        await publish(topic, 10);
        proxy.cut();
      }
      await expect.poll(() => offsets.length).toBeGreaterThanOrEqual(200);
      expect(offsets).toEqual(upTo(200));
    },
  );
});

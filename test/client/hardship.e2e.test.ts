import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { Filter, SubscribeOptions, Subscription } from '../../src/client/index.ts';
import { JsonClient, type JsonClientOptions } from '../../src/client/json/index.ts';
import { upTo } from '../support/numbers.ts';
import { ofTest } from '../support/opened.ts';
import { clientOfTest, gatewayOfTest, state } from '../support/sdk.ts';
import { signToken, tokenSecret } from '../support/tokens.ts';

/** Between a client and its gateway: cuts all connections, and can change what clients send. */
async function proxyTo(url: string, change = (chunk: Buffer): Buffer => chunk) {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connectTcp(Number(port), hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
    }
    near.on('data', (chunk) => far.write(change(chunk)));
    far.pipe(near);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  onTestFinished(() => {
    server.close();
    cut();
  });
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`, cut };
}

function jsonClientOfTest(url: string, options: JsonClientOptions = {}): JsonClient {
  const client = ofTest(new JsonClient(url, { WebSocket, reconnect: { delaysMs: [50] }, ...options }));
  client.on('error', () => undefined);
  return client;
}

describe('a client of a real gateway', () => {
  it('keeps its good subscriptions beside bad ones, also after a cut', async () => {
    const gateway = await gatewayOfTest();
    const proxy = await proxyTo(gateway.wsUrl);
    const reader = clientOfTest(proxy.url);
    void reader.connect();
    const good = reader.subscribe('room:1');
    const bad = reader.subscribe('room:2', { filter: { op: 'in', tag: 'id', values: [] } });
    await Promise.all([state(good, 'live'), state(bad, 'refused')]);
    proxy.cut();
    await state(good, 'pending');
    await Promise.all([state(good, 'live'), state(bad, 'refused')]);
    expect(bad.error).toMatchObject({ code: 'invalid_filter' });
  });

  it.each([
    ['protobuf', (url: string) => clientOfTest(url), 'invalid_frame'],
    ['JSON', (url: string) => jsonClientOfTest(url), 'invalid_json'],
  ] as const)(
    'keeps them beside one for which the gateway refuses the command: %s',
    async (_, client, code) => {
      const { wsUrl } = await gatewayOfTest();
      let filter: Filter = { op: 'exists', tag: 'a' };
      for (let depth = 0; depth < 200; depth++) {
        filter = { op: depth % 2 ? 'and' : 'or', filters: [filter, { op: 'exists', tag: `b${depth}` }] };
      }
      const reader = client(wsUrl);
      const before = reader.subscribe('room:1');
      const bad = reader.subscribe('room:2', { filter });
      const after = reader.subscribe('room:3');
      void reader.connect();
      await Promise.all([state(before, 'live'), state(bad, 'refused'), state(after, 'live')]);
      expect(bad.error).toMatchObject({ code });
    },
  );

  it.each(['sse', 'poll'] as const)(
    'keeps as many as a request may have, and is told of the others: %s',
    async (transport) => {
      const { wsUrl } = await gatewayOfTest({ subscriptionsPerSession: 2000 });
      const reader = clientOfTest(wsUrl, { transports: [transport] });
      const all = upTo(1002).map((n) => reader.subscribe(`room:${n}`));
      // `$all` is one of the 1000.
      const refused = all.splice(999).map((one) => new Promise((resolve) => one.on('error', resolve)));
      void reader.connect();
      await Promise.all(all.map((one) => one.ready));
      for (const error of await Promise.all(refused))
        expect(error).toMatchObject({ code: 'too_many_subscriptions', retry: true });
    },
  );

  it('has all keys that it may have, though one command can not hold them', async () => {
    const { wsUrl } = await gatewayOfTest();
    const reader = clientOfTest(wsUrl);
    const keys = (first: number) => Array.from({ length: 1000 }, (_, n) => (first + n).toString(36));
    const all = Array.from({ length: 65 }, (_, n) => reader.subscribe(`server:${n}`, { keys: keys(n) }));
    void reader.connect();
    await Promise.all(all.map((one) => one.ready));
  });

  it.each([
    ['protobuf', (url: string, token: string) => clientOfTest(url, { token })],
    ['JSON', (url: string, token: string) => jsonClientOfTest(url, { token })],
    ['streams', (url: string, token: string) => clientOfTest(url, { token, transports: ['sse'] })],
    ['polls', (url: string, token: string) => clientOfTest(url, { token, transports: ['poll'] })],
  ] as const)('has the topics of its user beside as many as it may have: %s', async (_, client) => {
    const { wsUrl } = await gatewayOfTest({ tokenSecret, subscriptionsPerSession: 3 });
    const proxy = await proxyTo(wsUrl);
    const topics = [{ pattern: 'room:*', allow: ['subscribe'] }] as const;
    const reader = client(proxy.url, await signToken({ sub: 'alice', topics }));
    await reader.connect();
    const all = [1, 2, 3].map((n) => reader.subscribe(`room:${n}`));
    await Promise.all(all.map((one) => state(one, 'live')));
    proxy.cut();
    await Promise.all(all.map((one) => state(one, 'pending')));
    const refused = all.map((one) => state(one, 'refused').then(() => 'refused'));
    const live = Promise.all(all.map((one) => state(one, 'live')));
    expect(await Promise.race([live.then(() => 'live'), ...refused])).toBe('live');
  });

  it('keeps no view after a rate limit, and subscribes again', async () => {
    const gateway = await gatewayOfTest({ commandsPerSecond: 5 });
    const { wsUrl } = gateway;
    const reader = clientOfTest(wsUrl);
    const { session } = await reader.connect();
    const topics = Array.from({ length: 10 }, (_, n) => `t${n}`);
    const first: Subscription[] = [];
    for (const topic of topics) {
      const one = reader.subscribe(topic);
      first.push(one);
      await state(one, 'live');
    }
    for (const one of first) one.unsubscribe();
    const again = topics.map((topic) => reader.subscribe(topic));
    const last = reader.subscribe('last');
    await Promise.all([...again, last].map((one) => state(one, 'live')));
    last.unsubscribe();
    const watcher = clientOfTest(wsUrl);
    await watcher.connect();
    await expect.poll(async () => (await watcher.presence('last')).count).toBe(0);
    const here = await Promise.all(topics.slice(0, 2).map((topic) => watcher.presence(topic)));
    expect(here.map(({ members }) => members.map((member) => member.session))).toEqual([
      [session],
      [session],
    ]);
  });

  it('reads a topic whose presence it may not see, also where another part of the page asks for that', async () => {
    const gateway = await gatewayOfTest({ tokenSecret });
    const token = () =>
      signToken({ sub: 'alice', topics: [{ pattern: 'chat', allow: ['subscribe', 'publish'] }] });
    const user = clientOfTest(gateway.wsUrl, { token });
    await user.connect();
    const heard: string[] = [];
    const refusals: string[] = [];
    const read = (name: string, options: SubscribeOptions) => {
      const subscription = user.subscribe('chat', options, ({ data }) => heard.push(`${name} ${data}`));
      subscription.on('error', ({ code }) => refusals.push(`${name} ${code}`));
      return subscription;
    };
    const both = [read('a', {}), read('b', { presence: true })];
    await Promise.all(both.map((one) => one.ready));
    await user.publish('chat', 'line', 1);
    await expect.poll(() => heard).toEqual(['a 1', 'b 1']);
    const late = read('c', { presence: true });
    await expect.poll(() => refusals).toEqual(['b forbidden', 'c forbidden']);
    await Promise.all([...both, late].map((one) => state(one, 'live')));
    await user.publish('chat', 'line', 2);
    await expect.poll(() => heard).toEqual(['a 1', 'b 1', 'a 2', 'b 2', 'c 2']);
    // Alone it is refused.
    for (const one of [...both, late]) one.unsubscribe();
    await expect(read('d', { presence: true }).ready).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('has more published than the rate allows, in order', async () => {
    const { wsUrl } = await gatewayOfTest({ commandsPerSecond: 20 });
    const writer = clientOfTest(wsUrl);
    await writer.connect();
    const published = await Promise.all(Array.from({ length: 40 }, (_, n) => writer.publish('t', 'test', n)));
    expect(published.map(({ offset }) => offset).sort((a, b) => a - b)).toEqual(upTo(40));
  });

  it('is not cut for a message that is too large, and sends the others', async () => {
    const { wsUrl } = await gatewayOfTest();
    const writer = clientOfTest(wsUrl);
    const poison = writer.publish('t', 'x', 'a'.repeat(3 << 20));
    const good = writer.publish('t', 'x', 'b');
    await Promise.all([
      expect(poison).rejects.toMatchObject({ code: 'payload_too_large' }),
      writer.connect(),
    ]);
    await expect(good).resolves.toMatchObject({ offset: 1 });
    expect(writer.getStats()).toMatchObject({ connects: 1, disconnects: 0 });
  });

  it('does not hear its own publications after a cut', async () => {
    const gateway = await gatewayOfTest();
    const proxy = await proxyTo(gateway.wsUrl);
    const self = clientOfTest(proxy.url);
    const other = clientOfTest(gateway.wsUrl);
    await Promise.all([self.connect(), other.connect()]);
    const heard: unknown[] = [];
    const done = new Promise((resolve) => {
      self.subscribe('chat', {}, ({ data }) => {
        heard.push(data);
        if (data === 'end') resolve(undefined);
      });
    });
    await state(self.subscribe('chat'), 'live');
    await self.publish('chat', 'm', 'before', { exceptSelf: true });
    const underWay = self.publish('chat', 'm', 'under way', { exceptSelf: true });
    proxy.cut();
    await self.publish('chat', 'm', 'offline', { exceptSelf: true });
    await underWay;
    await other.publish('chat', 'm', 'theirs');
    proxy.cut();
    await self.publish('chat', 'm', 'after', { exceptSelf: true });
    await other.publish('chat', 'm', 'end');
    await done;
    expect(heard).toEqual(['theirs', 'end']);
    const { publications } = await other.history('chat');
    expect(publications).toHaveLength(6);
  });

  it('counts two subscriptions for one that the gateway takes for one', async () => {
    const { wsUrl } = await gatewayOfTest();
    const reader = clientOfTest(wsUrl);
    await reader.connect();
    const all = [
      reader.subscribe('t', { intervalMs: 60 }),
      reader.subscribe('t', { intervalMs: 80 }),
      reader.subscribe('u', { filter: { op: 'in', tag: 'k', values: ['a'] } }),
      reader.subscribe('u', { filter: { op: 'eq', tag: 'k', value: 'a' } }),
    ];
    await Promise.all(all.map((one) => state(one, 'live')));
    const held = (await reader.status()).subscriptions.filter(({ topic }) => topic !== '$all');
    expect(held.map(({ topic }) => topic)).toEqual(['t', 'u']);
  });

  it('is let in with a token whose issuer is a little ahead', async () => {
    const { wsUrl } = await gatewayOfTest({ tokenSecret });
    let asked = 0;
    const token = () => {
      asked++;
      const nbf = Math.floor(Date.now() / 1000) + 2;
      return signToken({ sub: 'alice', nbf });
    };
    const user = clientOfTest(wsUrl, { token });
    await expect(user.connect()).resolves.toMatchObject({ user: 'alice' });
    expect(asked).toBe(1);
  });

  it.each(['x'.repeat(20_000), '\ud800'])(
    'asks for another token where one can be none: %#',
    async (wrong) => {
      const { wsUrl } = await gatewayOfTest({ tokenSecret });
      const tokens = [wrong, signToken({ sub: 'alice' })];
      const token = () => tokens.shift() ?? '';
      for (const client of [clientOfTest(wsUrl, { token }), jsonClientOfTest(wsUrl, { token })]) {
        await expect(client.connect()).rejects.toMatchObject({ code: 'unauthorized' });
        await client.connect();
        tokens.push(wrong, signToken({ sub: 'alice' }));
      }
    },
  );

  it('names HTTP/1.0 in between as the cause', async () => {
    const { wsUrl } = await gatewayOfTest();
    const proxy = await proxyTo(wsUrl, (chunk) =>
      Buffer.from(
        chunk
          .toString('latin1')
          .replace('HTTP/1.1', 'HTTP/1.0')
          .replace(/^(?:upgrade|connection): .*\r\n/gim, ''),
        'latin1',
      ),
    );
    const lost = clientOfTest(proxy.url);
    await expect(lost.connect()).rejects.toMatchObject({ code: 'http_version' });
    expect(lost.getStatus()).toMatchObject({ state: 'reconnecting', reason: 'http_version' });
  });
});

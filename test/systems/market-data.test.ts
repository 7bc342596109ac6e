import { expect, test } from 'vitest';
import { upTo } from '../support/numbers.ts';
import { ofFile, opened } from '../support/opened.ts';
import { apiKey } from '../support/tokens.ts';
import { MarketFeed } from './clients/market-data.ts';
import { startSystems } from './gateway.ts';

const gateway = ofFile(() => startSystems({ compat: ['b', 'c'], compatPort: 0, connectionsMaxPerIp: 500 }));
const urlOfPath = () => `${gateway.socketBase}/market/ws`;
const urlOfPort = () => `ws://127.0.0.1:${gateway.compatPort}/`;

const open = (url = urlOfPath(), token = apiKey) => opened(MarketFeed.open(url, token));

async function tick(symbol: string, ...prices: readonly number[]): Promise<void> {
  const all = prices.map((price) => ({ topic: `market:${symbol}`, type: 'tick', data: { price } }));
  for (let i = 0; i < all.length; i += 1000)
    await gateway.send('POST', '/api/publish/batch', all.slice(i, i + 1000));
}

interface Stats {
  readonly active_connections: number;
  readonly total_connections: number;
  readonly total_messages: number;
  readonly subscriptions: Readonly<Record<string, number>>;
}
/** Asks until they are as wanted. */
const stats = (isSo: (stats: Stats) => boolean) =>
  expect
    .poll(async () => {
      const now = await gateway.read<Stats>('/market/stats');
      return isSo(now) ? now : undefined;
    })
    .toBeDefined();

test('B1: each connection is known with its times, subscriptions and messages', async () => {
  const feed = await open();
  await feed.subscribe('ONE/USDT');
  const list = await gateway.read<{ connections: Record<string, unknown>[] }>(
    '/api/connections?topic=market:ONE/USDT',
  );
  expect(list.connections).toMatchObject([
    {
      codec: 'compat-b',
      connectedAt: expect.stringMatching(/Z$/),
      lastSeenAt: expect.stringMatching(/Z$/),
      messageCount: 1,
      subscriptions: [{ topic: '$all' }, { topic: 'compat:b' }, { topic: 'market:ONE/USDT' }],
    },
  ]);
});

test('B2: a burst arrives whole and in order; what a client can never have is named', async () => {
  const [quick, slow] = [await open(), await open(urlOfPort())];
  for (const feed of [quick, slow]) await feed.subscribe('BURST/USDT');
  slow.socket.pause();
  const note = 'x'.repeat(2000);
  const count = 6000;
  const items = upTo(count).map((price) => ({
    topic: 'market:BURST/USDT',
    type: 'tick',
    data: { price, note },
  }));
  for (let i = 0; i < count; i += 500)
    await gateway.send('POST', '/api/publish/batch', items.slice(i, i + 500));
  await quick.until(() => quick.prices.at(-1) === count);
  expect(quick.prices).toEqual(upTo(count));
  slow.socket.resume();
  await slow.until(() => slow.prices.at(-1) === count);
  const lost = slow.lost.map((message) =>
    Number(/^(\d+) messages of market:BURST\/USDT are lost$/.exec(message)?.[1]),
  );
  expect(lost.length).toBeGreaterThan(0);
  expect(slow.prices.length + lost.reduce((sum, each) => sum + each, 0)).toBe(count);
  expect(slow.prices).toEqual([...slow.prices].sort((a, b) => a - b));
});

test('B3: a price goes to the subscribers of its symbol, a notice to all; broken connections are removed', async () => {
  const [btc, eth, gone] = [await open(), await open(urlOfPort()), await open()];
  await btc.subscribe('BTC/USDT');
  await eth.subscribe('ETH/USDT');
  await gone.subscribe('BTC/USDT');
  gone.socket.terminate();
  await stats(({ subscriptions }) => subscriptions['BTC/USDT'] === 1);
  await tick('BTC/USDT', 64_000.5);
  await gateway.publish({ topic: 'compat:b', type: 'notice', data: { text: 'maintenance' } });
  for (const feed of [btc, eth])
    expect(await feed.message('notice')).toMatchObject({ data: { text: 'maintenance' } });
  expect(btc.publications('tick')).toEqual([
    { type: 'tick', symbol: 'BTC/USDT', data: { price: 64_000.5 }, timestamp: expect.stringMatching(/Z$/) },
  ]);
  expect(eth.prices).toEqual([]);
  btc.send({ type: 'unsubscribe', symbol: 'BTC/USDT' });
  btc.send({ type: 'unsubscribe', symbol: 'BTC/USDT' });
  await btc.status();
  await tick('BTC/USDT', 1);
  await btc.status();
  expect([btc.prices, btc.lost]).toEqual([[64_000.5], []]);
  expect(await gateway.metric('sluice_deliveries_total')).toBeGreaterThan(0);
});

test('B4: a status says when it connected, what it is subscribed to, and how much it was sent', async () => {
  const before = Date.now() / 1000;
  const feed = await open();
  await feed.subscribe('S/USDT', 'S/EUR');
  const status = await feed.status();
  expect(status).toEqual({
    type: 'status',
    connected_at: expect.any(Number),
    subscriptions: ['S/USDT', 'S/EUR'],
    message_count: 1,
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
  });
  expect(Math.abs((status['connected_at'] as number) - before)).toBeLessThan(60);
  expect(await feed.ask({ type: 'ping' }, 'pong')).toEqual({
    type: 'pong',
    timestamp: expect.stringMatching(/Z$/),
  });
});

test('B5: stats count connections, messages and symbols of this system only', async () => {
  const feed = await open();
  await feed.subscribe('STATS/USDT');
  const native = await gateway.open();
  await native.call({ type: 'subscribe', topic: 'market:STATS/USDT' });
  await stats(({ subscriptions }) => subscriptions['STATS/USDT'] === 1);
  const now = await gateway.read<Stats>('/market/stats');
  expect(Object.keys(now)).toEqual([
    'active_connections',
    'total_connections',
    'total_messages',
    'subscriptions',
    'is_running',
  ]);
  expect(now.total_connections).toBeGreaterThanOrEqual(now.active_connections);
  expect(now.total_messages).toBeGreaterThan(0);
});

// How long it takes is measured by `bench -- fanout` and `bench -- storm` (bench/README.md).
test('B6: a broadcast to 100 subscribers is encoded once', async () => {
  const feeds = await Promise.all(upTo(100).map((i) => open(i % 2 === 0 ? urlOfPath() : urlOfPort())));
  await Promise.all(feeds.map((feed) => feed.subscribe('HUNDRED/USDT')));
  const frames = await gateway.metric('sluice_frames_total');
  const deliveries = await gateway.metric('sluice_deliveries_total');
  await tick('HUNDRED/USDT', 5);
  await Promise.all(feeds.map((feed) => feed.message('tick')));
  expect((await gateway.metric('sluice_frames_total')) - frames).toBe(1);
  expect((await gateway.metric('sluice_deliveries_total')) - deliveries).toBe(100);
  await Promise.all(feeds.map((feed) => feed.close()));
});

test('B7: a client that sends too much is told so in its own words, and harms no other', async () => {
  const flooding = await open(urlOfPath(), await gateway.token('flood'));
  const calm = await open();
  await calm.subscribe('CALM/USDT');
  for (let i = 0; i < 300; i++) flooding.send({ type: 'get_status' });
  expect(await flooding.message('error')).toEqual({
    type: 'error',
    code: 'rate_limited',
    message: expect.any(String),
    timestamp: expect.stringMatching(/Z$/),
  });
  await tick('CALM/USDT', 7);
  await calm.message('tick');
  expect(calm.lost).toEqual([]);
});

test('a request without an upgrade is told what the port is for, and why a client may not connect', async () => {
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`http://127.0.0.1:${gateway.compatPort}${path}`, init);
    const { error } = (await response.json()) as { error: { code: string } };
    return [response.status, error.code];
  };
  const headers = { authorization: `Bearer ${apiKey}` };
  for (const path of ['/', '/market/stats', '/a/b?c'])
    expect([path, ...(await ask(path, { headers }))]).toEqual([path, 426, 'upgrade_required']);
  expect(await ask('/', { method: 'POST', body: '{}', headers })).toEqual([405, 'method_not_allowed']);
  expect(await ask('/?token=wrong')).toEqual([401, 'unauthorized']);
});

test('a client needs a token, also on the port of its own, and is told what is wrong with a message', async () => {
  for (const url of [urlOfPath(), urlOfPort()]) expect(await new MarketFeed(url).refused()).toBe(401);
  const feed = await open(
    urlOfPort(),
    await gateway.token('bot', { pattern: 'market:BTC/*', allow: ['subscribe'] }),
  );
  const wrong: [object, string][] = [
    [{ type: 'subscribe' }, 'invalid_request'],
    [{ type: 'subscribe', symbol: 'ETH/USDT' }, 'forbidden'],
    [{ type: 'subscribe', symbol: 'a b' }, 'invalid_topic'],
    [{ type: 'buy' }, 'unknown_command'],
    [{ symbol: 'BTC/USDT' }, 'invalid_frame'],
  ];
  for (const [message, code] of wrong)
    expect([message, await feed.ask(message, 'error')]).toMatchObject([message, { code }]);
});

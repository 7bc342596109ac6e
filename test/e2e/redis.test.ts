import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { HookServer, hookSecret } from '../support/hook-server.ts';
import { JsonClient } from '../support/json-client.ts';
import { upTo } from '../support/numbers.ts';
import { type RedisProcess, startRedis } from '../support/redis-server.ts';
import { clientOfTest } from '../support/sdk.ts';
import { SseClient } from '../support/sse-client.ts';
import { newFile } from '../support/temporary.ts';

let redis: RedisProcess;
let hooks: HookServer;
let gateways: TestGateway[] = [];

const file = newFile('sluice.yaml', 'namespaces: { state: { mode: state } }\n');

const open = () =>
  startGateway(
    { engine: 'redis', redis: redis.url, redisTimeoutMs: 3000, hookEvents: hooks.url, hookSecret },
    file,
  );

beforeAll(async () => {
  redis = await startRedis('--appendonly', 'yes', '--appendfsync', 'always');
  hooks = await HookServer.start();
  gateways = [await open(), await open()];
});

afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.close()));
  hooks.close();
  await redis.remove();
});

const both = () => gateways as [TestGateway, TestGateway];

async function publish({ post }: TestGateway, topic: string, data: unknown, key?: string): Promise<Response> {
  return post('/api/publish', JSON.stringify({ topic, type: 'e', data, ...(key !== undefined && { key }) }));
}

async function get<T>({ url }: TestGateway, path: string): Promise<T> {
  return (await (await fetch(url + path)).json()) as T;
}

async function opened(gateway: TestGateway, ...topics: string[]): Promise<JsonClient> {
  const client = await JsonClient.open(gateway.wsUrl);
  for (const topic of topics) await client.call({ type: 'subscribe', topic });
  return client;
}

async function poll(gateway: TestGateway, cursor: string) {
  const seconds = cursor === '' ? 0 : 20;
  return get<{ cursor: string; events: Record<string, unknown>[] }>(
    gateway,
    `/poll?topic=silent&timeoutSeconds=${seconds}${cursor}`,
  );
}

test('two gateways deliver what is published at either, and a client continues at the other', async () => {
  const [a, b] = both();
  const clients = [await opened(a, 'shared'), await opened(b, 'shared'), await opened(b, 'sha*')];
  await Promise.all(upTo(50).map((n) => publish(n % 2 === 0 ? a : b, 'shared', n)));
  for (const client of clients)
    expect((await client.count('shared', 50)).map(({ offset }) => offset)).toEqual(upTo(50));
  const { epoch } = await get<{ epoch: string }>(a, '/api/topics/shared');
  const moved = await JsonClient.open(b.wsUrl);
  // Ahead of this gateway at times: it waits until it has heard of as much.
  const { offset } = (await (await publish(a, 'shared', 51)).json()) as { offset: number };
  const granted = await moved.call({ type: 'subscribe', topic: 'shared', since: { epoch, offset } });
  expect(granted).toMatchObject({ results: [{ recovered: true, offset: 51 }] });
  await Promise.all([...clients, moved].map((client) => client.close()));
});

test('each knows the connections and members of all, and ends them', async () => {
  const [a, b] = both();
  const watcher = await JsonClient.open(a.wsUrl);
  await watcher.call({ type: 'subscribe', topic: 'room', presence: true });
  const away = await opened(b, 'room');
  await watcher.until(({ type }) => type === 'joined');
  expect(await watcher.call({ type: 'presence', topic: 'room' })).toMatchObject({ count: 2 });
  const { connections } = await get<{ connections: { id: string }[] }>(a, '/api/connections');
  expect(connections).toHaveLength(2);
  expect(await get(b, '/api/topics/room')).toMatchObject({ subscribers: 2 });
  expect(await get(a, '/api/stats')).toMatchObject({ connections: { active: 2 } });
  const session = away.frames.find(({ type }) => type === 'connected')?.['session'];
  expect((await a.post(`/api/connections/${session}/disconnect`, '')).status).toBe(200);
  await watcher.until(({ type }) => type === 'left');
  expect(await away.end()).toEqual({ code: 4500, reason: 'disconnected' });
  await watcher.close();
});

test('one of them tells the application which topics have subscribers at any', async () => {
  const [a, b] = both();
  // One may be told again, by another gateway, where the responsible one is slow.
  const told = (topic: string) =>
    hooks.questions
      .flatMap(({ events }) => events as { readonly type: string; readonly topic?: string }[])
      .filter((event) => event.topic === topic && /occupied|vacated/.test(event.type))
      .map(({ type }) => type)
      .filter((type, i, all) => type !== all[i - 1]);
  const clients = [await opened(a, 'lobby'), await opened(b, 'lobby')] as const;
  // Each hears of another's topics in order, so those of before are known, too.
  const others = [await opened(b, 'other')];
  await expect.poll(() => told('other')).toEqual(['occupied']);
  await clients[0].close();
  others.push(await opened(a, 'third'));
  await expect.poll(() => told('third')).toEqual(['occupied']);
  expect(told('lobby')).toEqual(['occupied']);
  await Promise.all([clients[1], ...others].map((client) => client.close()));
  await expect.poll(() => told('lobby')).toEqual(['occupied', 'vacated']);
  expect(new Set(hooks.questions.map(({ group }) => group))).toEqual(new Set(['redis/sluice']));
});

test('a gateway that comes later learns who is there, and one that goes takes its members along', async () => {
  const [a] = both();
  const watcher = await JsonClient.open(a.wsUrl);
  await watcher.call({ type: 'subscribe', topic: 'hall', presence: true });
  const third = await open();
  const client = await opened(third, 'hall');
  await watcher.until(({ type }) => type === 'joined');
  expect(await client.call({ type: 'presence', topic: 'hall' })).toMatchObject({ count: 2 });
  await third.close();
  await watcher.until(({ type }) => type === 'left');
  await watcher.close();
});

test('while Redis is away subscribers stay, are told and are served; after, nothing is lost', async () => {
  const [a, b] = both();
  const sdk = clientOfTest(a.wsUrl);
  const told: boolean[] = [];
  sdk.on('degraded', (degraded) => told.push(degraded));
  await sdk.connect();
  const stream = await SseClient.open({ port: b.port, path: '/sse?topic=kept' });
  await stream.until(() => stream.of('subscribed').length > 0);
  const states = (client: { readonly frames: readonly Record<string, unknown>[] }) =>
    client.frames.flatMap(({ type, degraded }) => (type === 'gatewayState' ? [degraded] : []));
  const clients = [await opened(a, 'kept', 'state:s'), await opened(b, 'kept', 'state:s')];
  await publish(a, 'kept', 1);
  await publish(a, 'state:s', 1, 'k');
  for (const client of clients) await client.count('kept', 1);
  await redis.kill();
  await expect.poll(async () => (await fetch(`${a.url}/readyz`)).status).toBe(503);
  expect((await publish(a, 'kept', 0)).status).toBe(503);
  for (const client of clients) await client.until(({ type }) => type === 'gatewayState');
  await stream.until(() => stream.of('gatewayState').length > 0);
  await expect.poll(() => told).toEqual([false, true]);
  const late = await JsonClient.open(b.wsUrl);
  expect(late.frames[0]).toMatchObject({ type: 'connected', degraded: true });
  const first = await poll(a, '');
  expect(first.events[0]).toMatchObject({ type: 'connected', degraded: true });
  const held = poll(a, `&cursor=${encodeURIComponent(first.cursor)}`);
  await late.call({ type: 'subscribe', topic: 'kept', last: 5 });
  expect(await late.count('kept', 1)).toMatchObject([{ offset: 1 }]);
  await redis.start();
  await expect.poll(async () => (await fetch(`${b.url}/readyz`)).status).toBe(200);
  expect((await publish(b, 'kept', 2)).status).toBe(200);
  for (const client of [...clients, late])
    expect((await client.count('kept', 2)).map(({ offset }) => offset)).toEqual([1, 2]);
  await stream.until(() => stream.publications.length === 2);
  await expect.poll(() => told).toEqual([false, true, false]);
  expect([...clients.map(states), states(stream)]).toEqual(Array(3).fill([true, false]));
  expect([states(late), (await held).events]).toMatchObject([[false], [{ degraded: false }]]);
  stream.close();
  await Promise.all([...clients, late].map((client) => client.close()));
});

import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { JsonClient, type JsonSubscription } from '../../../src/client/json/index.ts';
import { clientOfTest, gatewayOfTest } from '../../support/sdk.ts';

function connect(url: string): JsonClient {
  const client = new JsonClient(url, { WebSocket, reconnect: { delaysMs: [50] } });
  client.on('error', () => undefined);
  onTestFinished(() => client.close());
  void client.connect();
  return client;
}

/** What comes, as `topic offset`, and what is named as lost; `until` resolves when one of it is there. */
function record(subscription: JsonSubscription) {
  const told: string[] = [];
  const waiting = new Map<string, () => void>();
  const tell = (one: string): void => {
    told.push(one);
    waiting.get(one)?.();
  };
  subscription.on('publication', ({ topic, offset }) => tell(`${topic} ${offset}`));
  subscription.on('gap', ({ topic, missing }) => {
    if (!missing) tell(`${topic} lost`);
    else for (let n = missing.after + 1; n <= missing.upto; n++) tell(`${topic} ${n} lost`);
  });
  subscription.on('state', (state) => tell(state));
  const until = (one: string): Promise<void> =>
    told.includes(one) ? Promise.resolve() : new Promise((resolve) => waiting.set(one, resolve));
  return { told, until };
}

it('gets every publication of a topic and a pattern once, in order, through losses of its connection', async () => {
  const { wsUrl } = await gatewayOfTest();
  const reader = connect(wsUrl);
  const writer = clientOfTest(wsUrl);
  await writer.connect();
  const one = record(reader.subscribe('room:a'));
  const all = record(reader.subscribe('room:*', { intervalMs: 50 }));
  await Promise.all([one.until('live'), all.until('live')]);
  for (let n = 1; n <= 60; n++) {
    await writer.publish('room:a', 'test', n);
    await writer.publish(`room:${n % 7}`, 'test', n);
    if (n % 15 === 0) {
      reader.close();
      await writer.publish('room:a', 'away', n);
      await writer.publish(`room:born-${n}`, 'away', n);
      void reader.connect();
    }
  }
  await writer.publish('room:z', 'last', 0);
  await Promise.all([one.until('room:a 64'), all.until('room:a 64'), all.until('room:z 1')]);
  const offsets = (told: readonly string[], topic: string) =>
    told.filter((each) => each.startsWith(`${topic} `)).map((each) => each.slice(topic.length + 1));
  const upTo = (last: number) => Array.from({ length: last }, (_, i) => String(i + 1));
  expect(offsets(one.told, 'room:a')).toEqual(upTo(64));
  expect(offsets(all.told, 'room:a')).toEqual(upTo(64));
  for (let n = 0; n < 7; n++) {
    const { publications } = await reader.history(`room:${n}`);
    expect(offsets(all.told, `room:${n}`)).toEqual(upTo(publications.length));
  }
  for (const n of [15, 30, 45, 60]) expect(offsets(all.told, `room:born-${n}`)).toEqual(['1']);
});

it('names what the gateway no longer has', async () => {
  const { wsUrl } = await gatewayOfTest({ topicHistoryMaxPublications: 10 });
  const reader = connect(wsUrl);
  const writer = clientOfTest(wsUrl);
  await writer.connect();
  const { told, until } = record(reader.subscribe('stats'));
  await until('live');
  await writer.publish('stats', 'test', 1);
  await until('stats 1');
  reader.close();
  for (let n = 2; n <= 30; n++) await writer.publish('stats', 'test', n);
  void reader.connect();
  await until('stats 30');
  const numbers = told.filter((one) => one.startsWith('stats ')).map((one) => Number(one.split(' ')[1]));
  expect(numbers).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
  expect(told.filter((one) => one.endsWith('lost')).length).toBeGreaterThan(0);
});

it('shows a state topic, and asks for pages of a topic and who is there', async () => {
  const { wsUrl } = await gatewayOfTest();
  const client = connect(wsUrl);
  const greeting = await client.connect();
  await client.publish('server:a', 'monitoring_update', { load: 1 }, { key: 'cpu' });
  await client.publish('server:a', 'monitoring_update', 2, { key: 'disk', tags: { time: 'noon' } });
  const server = client.subscribe<{ load: number }>('server:a');
  await new Promise((resolve) => server.on('map', resolve));
  expect([...server.current().keys()].sort()).toEqual(['cpu', 'disk']);
  expect(server.current().get('cpu')?.data).toEqual({ load: 1 });
  expect(server.current().get('disk')).toMatchObject({ tags: { time: 'noon' }, offset: 2 });
  const changed = new Promise((resolve) => server.on('map', resolve));
  await client.publish('server:a', 'monitoring_update', null, { key: 'disk', removed: true });
  await changed;
  expect([...server.current().keys()]).toEqual(['cpu']);
  const page = await client.history<number>('server:a', { after: 1, limit: 1 });
  expect(page).toMatchObject({ topic: 'server:a', more: true, publications: [{ offset: 2, data: 2 }] });
  expect(page.publications[0]?.timestampMs).toBeGreaterThan(1e12);
  expect(await client.presence('server:a')).toMatchObject({ count: expect.any(Number) });
  expect(client.session).toBe(greeting.session);
  const filter = { op: 'eq', tag: 'level', value: 'high' } as const;
  const filtered: unknown[] = [];
  const high = client.subscribe('alarms', { filter }, ({ data }) => filtered.push(data));
  await new Promise<void>((resolve) => high.on('state', (state) => state === 'live' && resolve()));
  await client.publish('alarms', 'test', 1, { tags: { level: 'low' } });
  const came = new Promise((resolve) => high.on('publication', resolve));
  await client.publish('alarms', 'test', 2, { tags: { level: 'high' } });
  await came;
  expect(filtered).toEqual([2]);
});

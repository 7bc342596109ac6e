import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { loadConfig } from '../../src/config.ts';
import { type Frame, JsonClient } from '../support/json-client.ts';
import { upTo } from '../support/numbers.ts';
import { clientOfTest, state } from '../support/sdk.ts';
import { newFolder } from '../support/temporary.ts';
import { apiKey } from '../support/tokens.ts';
import { MonitoringPanel } from './clients/server-monitoring.ts';
import { type SystemsGateway, startSystems } from './gateway.ts';

let gateway: SystemsGateway;
/** One where a client is dead after 10 s; and such a client, which answers no ping. */
let impatient: SystemsGateway;
let silent: JsonClient;

beforeAll(async () => {
  gateway = await startSystems(
    { compat: ['a', 'b', 'c', 'd', 'e'], connectionsMaxPerIp: 2000, handshakesPerSecondPerIp: 5000 },
    {
      refreshed: { mode: 'state', refreshMs: 1000 },
      changing: { mode: 'state', refreshMs: 1000, refresh: 'changed' },
      merged: { batchMaxDelayMs: 1000, batchMaxPublications: 10 },
    },
  );
  impatient = await startSystems({ idleTimeoutSeconds: 10 });
  silent = await JsonClient.open(`${impatient.wsUrl}?token=${apiKey}`, [], {
    autoPong: false,
    localAddress: '127.0.0.9',
  });
});
afterAll(async () => {
  await gateway.close();
  await impatient.close();
});

interface Update {
  readonly type?: string;
  readonly level?: string;
  readonly data?: unknown;
}

/** What the collector of a server publishes. */
const update = (server: string, { type = 'cpu', level = 'info', data = {} }: Update = {}) =>
  gateway.publish({
    topic: `server:${server}`,
    type: 'monitoring_update',
    key: type,
    tags: { type, level },
    data,
  });

const stats = () =>
  gateway.read<{ connections: { active: number; total: number }; deliveries: number; sentBytes: number }>(
    '/api/stats',
  );

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise(setImmediate);
}

test('A1: connections are tracked while they live and cleaned up after, with messages and bytes', async () => {
  const before = await stats();
  const client = await gateway.open();
  await client.call({ type: 'subscribe', topic: 'server:a1' });
  await update('a1');
  await client.count('server:a1', 1);
  const during = await stats();
  expect(during.connections).toEqual({
    active: before.connections.active + 1,
    total: before.connections.total + 1,
  });
  expect(during.deliveries).toBeGreaterThan(before.deliveries);
  expect(during.sentBytes).toBeGreaterThan(before.sentBytes);
  const listed = () => gateway.read<{ connections: object[] }>('/api/connections?topic=server:a1');
  expect((await listed()).connections).toHaveLength(1);
  await client.close();
  await until(async () => (await listed()).connections.length === 0);
  expect((await stats()).connections.active).toBe(before.connections.active);
});

describe('A2: heartbeats', () => {
  test.each([
    [9, false],
    [10, true],
    [300, true],
    [301, false],
  ])('are configurable: dead after %i s: %s', (idleTimeoutSeconds, isAllowed) => {
    const load = () => loadConfig({ flags: { idleTimeoutSeconds } }).idleTimeoutSeconds;
    if (isAllowed) expect(load()).toBe(idleTimeoutSeconds);
    else expect(load).toThrow('must be a whole number from 10 to 300');
  });

  test('a client comes back by itself after a loss, and misses nothing', async () => {
    const sockets: WebSocket[] = [];
    class Watched extends WebSocket {
      constructor(...given: ConstructorParameters<typeof WebSocket>) {
        super(...given);
        sockets.push(this);
      }
    }
    const client = clientOfTest(gateway.wsUrl, { token: apiKey, WebSocket: Watched });
    const heard: unknown[] = [];
    const subscription = client.subscribe('server:a2', {}, ({ data }) => heard.push(data));
    await client.connect();
    await state(subscription, 'live');
    await update('a2', { data: 1 });
    sockets[0]?.terminate();
    await update('a2', { type: 'disk', data: 2 });
    await expect.poll(() => subscription.current().size).toBe(2);
    expect([...subscription.current().values()].map(({ data }) => data)).toEqual([1, 2]);
    expect([sockets.length, heard[0]]).toEqual([2, 1]);
  });
});

test('A3: subscriptions select server, monitoring type and alert level, several conditions at once', async () => {
  const client = await gateway.open();
  const filter = {
    op: 'and',
    filters: [
      { op: 'in', tag: 'type', values: ['cpu', 'disk'] },
      { op: 'not', filters: [{ op: 'eq', tag: 'level', value: 'info' }] },
    ],
  };
  const answer = await client.call({ type: 'subscribe', topic: 'server:a3-*', filter });
  expect(answer).toMatchObject({ type: 'subscribed', results: [{ topic: 'server:a3-*' }] });
  await update('b3-1', { level: 'critical' });
  await update('a3-1', { level: 'info' });
  await update('a3-1', { type: 'memory', level: 'critical' });
  await update('a3-1', { level: 'warning', data: 1 });
  await update('a3-2', { type: 'disk', level: 'critical', data: 2 });
  // A key that is not ours is told to be none of ours.
  const values = () =>
    ['server:a3-1', 'server:a3-2']
      .flatMap((topic) => client.publications(topic))
      .filter(({ removed }) => removed !== true)
      .map(({ data }) => data);
  await client.until(() => values().length >= 2);
  await client.call({ type: 'ping' });
  expect(values()).toEqual([1, 2]);
  const panel = await MonitoringPanel.open(`ws://127.0.0.1:${gateway.port}`, apiKey);
  panel.watch(['a3-3'], ['cpu'], ['critical']);
  await panel.heartbeat();
  await update('a3-3', { level: 'info', data: { server_id: 'a3-3', cpu: 1 } });
  await update('a3-3', { level: 'critical', data: { server_id: 'a3-3', cpu: 2 } });
  await panel.message('monitoring_update');
  expect(panel.publications('monitoring_update')).toMatchObject([{ data: { cpu: 2 } }]);
  await panel.close();
});

test('A4: updates go only to those concerned, and a connection that fails harms no other', async () => {
  const [concerned, other, failing] = [await gateway.open(), await gateway.open(), await gateway.open()];
  for (const each of [concerned, failing]) await each.call({ type: 'subscribe', topic: 'server:a4' });
  await other.call({ type: 'subscribe', topic: 'server:a4-other' });
  failing.socket.pause();
  await update('a4', { data: 1 });
  failing.socket.terminate();
  for (let i = 2; i <= 20; i++) await update('a4', { data: i });
  expect((await concerned.count('server:a4', 20)).map(({ data }) => data)).toEqual(upTo(20));
  await other.call({ type: 'ping' });
  expect(other.publications('server:a4')).toEqual([]);
});

describe('A5: a full refresh', () => {
  const value = (topic: string, data: unknown) => ({ topic, type: 'status_change', key: 'status', data });
  const snapshots = (client: JsonClient, topic: string) =>
    client.frames.filter((frame) => frame.type === 'snapshot' && frame['topic'] === topic);

  test('comes again and again, and a change of status at once', async () => {
    const client = await gateway.open();
    await gateway.publish(value('refreshed:1', 'up'));
    await client.call({
      type: 'subscribe',
      subscriptions: [{ topic: 'refreshed:1' }, { topic: 'refreshed:*' }],
    });
    await gateway.publish(value('refreshed:1', 'down'));
    // By a batch; or by a refresh, where that is due in the same turn.
    await client.until((frame) => JSON.stringify(frame).includes('"data":"down"'));
    const told = snapshots(client, 'refreshed:1').length;
    const isRefresh = () => snapshots(client, 'refreshed:1').length >= told + 4;
    await client.until(isRefresh);
    const [first] = snapshots(client, 'refreshed:1').slice(told);
    expect(first).toMatchObject({ messages: [{ key: 'status', data: 'down' }], first: true, last: true });
    expect(client.publications('refreshed:1').length).toBeLessThanOrEqual(2);
  });

  test('of what has changed only, where that is asked for; the SDK takes it as the whole state', async () => {
    const client = clientOfTest(gateway.wsUrl, { token: apiKey });
    const subscription = client.subscribe('changing:*');
    const refreshed: string[] = [];
    subscription.on('snapshot', (entries, { topic }) => refreshed.push(`${topic} ${entries.size}`));
    await client.connect();
    await state(subscription, 'live');
    await gateway.publish(value('changing:1', 'up'));
    await expect.poll(() => refreshed).toEqual(['changing:1 1']);
    await gateway.publish(value('changing:2', 'up'));
    await expect.poll(() => refreshed).toEqual(['changing:1 1', 'changing:2 1']);
  });
});

test('A6: a push that the engine fails is tried again three times, then told; both are counted', async () => {
  const dataDir = newFolder();
  const stored = await startSystems({ engine: 'lmdb', dataDir });
  const push = () => stored.publish({ topic: 'server:a6', type: 'status_change', data: {} });
  await push();
  rmSync(dataDir, { recursive: true });
  await expect(push()).rejects.toThrow('engine_unavailable');
  expect(await stored.metric('sluice_engine_retries_total')).toBe(3);
  expect(await stored.metric('sluice_publish_errors_total')).toBe(1);
  expect(await stored.metric('sluice_publications_total')).toBe(1);
  expect((await fetch(`${stored.url}/readyz`)).status).toBe(503);
  await stored.close();
});

test('A7: the paths are those of before, and have native equals', async () => {
  const base = `ws://127.0.0.1:${gateway.port}`;
  const old = await MonitoringPanel.open(base, apiKey, 'ws/monitoring/a7');
  const native = await JsonClient.open(`${base}/ws/monitoring/a7?token=${apiKey}`);
  await native.until(({ type }) => type === 'subscribed');
  await old.heartbeat();
  await gateway.send('POST', '/api/v1/websocket/broadcast', {
    type: 'monitoring_update',
    data: { server_id: 'a7', cpu: 7 },
  });
  expect(await old.message('monitoring_update')).toMatchObject({ data: { cpu: 7 } });
  expect(await native.count('server:a7', 1)).toMatchObject([{ type: 'monitoring_update', data: { cpu: 7 } }]);
  expect(await gateway.read('/api/v1/websocket/stats')).toMatchObject({
    active_connections: expect.any(Number),
  });
  await gateway.send('POST', '/api/broadcast', { type: 'status_change', data: 'maintenance' });
  await native.until(({ type }) => type === 'status_change');
  const { connections } = await gateway.read<{ connections: { id: string }[] }>(
    '/api/connections?topic=server:a7',
  );
  expect(connections).toHaveLength(2);
  const [first, second] = connections.map(({ id }) => id);
  await gateway.send('POST', `/api/v1/websocket/connections/${first}/disconnect`, {});
  await gateway.send('POST', `/api/connections/${second}/disconnect`, {});
  await native.end();
  await expect(old.until(() => false)).rejects.toThrow('closed');
});

test('A8: every message is validated, and the reply to a wrong one says what is wrong', async () => {
  const client = await gateway.open();
  expect((await client.call({ type: 'ping' })).type).toBe('pong');
  expect((await client.call({ type: 'subscribe', topic: 'server:a8' })).type).toBe('subscribed');
  const wrong: [Record<string, unknown>, string][] = [
    [{ type: 'subscribe', topic: 'server:a b' }, 'invalid_topic'],
    [{ type: 'subscribe', topic: 7 }, 'invalid_request'],
    [{ type: 'subscribe', topic: 'server:a8', filter: { op: 'like' } }, 'invalid_filter'],
    [{ type: 'nonsense' }, 'unknown_command'],
    [{ type: 'unsubscribe', topic: 'server:never' }, 'not_subscribed'],
  ];
  for (const [message, code] of wrong) {
    const { id: _, ...answer } = await client.call(message);
    const [result] = (answer['results'] ?? []) as { error?: object }[];
    expect([message, result?.error ?? answer]).toMatchObject([
      message,
      { code, message: expect.any(String) },
    ]);
  }
  expect((await client.call({ type: 'unsubscribe', topic: 'server:a8' })).type).toBe('unsubscribed');
});

test('A8: one error says which servers of a message are refused, and how many more', async () => {
  const panel = await MonitoringPanel.open(`ws://127.0.0.1:${gateway.port}`, apiKey);
  panel.watch(upTo(150).map((i) => `a8-${i}`));
  await panel.heartbeat();
  const named = upTo(10).map((i) => `server:a8-${100 + i}`);
  const message = `The session has reached its maximum number of subscriptions. (${named.join(', ')}, and 40 more)`;
  expect(panel.publications('error').map(({ data }) => data)).toEqual([
    { code: 'too_many_subscriptions', message },
  ]);
  await panel.close();
});

describe('A9', () => {
  test('compression saves more than half of what updates take', async () => {
    let heard = 0;
    // As many as make it worth a call of deflate.
    const clients = Array.from({ length: 100 }, () => clientOfTest(gateway.wsUrl, { token: apiKey }));
    const live = clients.map(async (client) => {
      const subscription = client.subscribe('server:a9', {}, () => heard++);
      await client.connect();
      await state(subscription, 'live');
    });
    await Promise.all(live);
    const of = (stage: string) => gateway.metric(`sluice_frame_bytes_total{stage="${stage}"}`);
    const bytes = async () => ({ plain: await of('plain'), wire: await of('wire') });
    const before = await bytes();
    for (let batch = 0; batch < 10; batch++) {
      const updates = Array.from({ length: 10 }, (_, i) => ({
        topic: 'server:a9',
        type: 'monitoring_update',
        key: `disk-${i}`,
        data: {
          disk: `/dev/sd${i}`,
          used_percent: 40 + batch / 3,
          read_bytes: 1000 * i,
          written_bytes: batch,
        },
      }));
      await gateway.send('POST', '/api/publish/batch', updates);
    }
    await expect.poll(() => heard).toBe(100 * clients.length);
    const after = await bytes();
    expect((after.wire - before.wire) / (after.plain - before.plain)).toBeLessThan(0.5);
  });

  test.each([
    [9, [9]],
    [10, [10]],
    [11, [10, 1]],
  ])('of a burst of %i updates batches hold 10 at most', async (count, sizes) => {
    const client = await gateway.open();
    await client.call({ type: 'subscribe', topic: `merged:${count}` });
    const batch = Array.from({ length: count }, (_, i) => ({
      topic: `merged:${count}`,
      type: 'cpu',
      data: i,
    }));
    await gateway.send('POST', '/api/publish/batch', batch);
    await client.count(`merged:${count}`, count);
    const isLive = (frame: Frame) =>
      frame['topic'] === `merged:${count}` && frame.type !== 'reset' && 'view' in frame && !('id' in frame);
    const held = client.frames
      .filter(isLive)
      .map(({ messages }) => (Array.isArray(messages) ? messages.length : 1));
    expect(held).toEqual(sizes);
  });

  test('connections are capped, in total and per address', async () => {
    const narrow = await startSystems({ connectionsMax: 12, connectionsMaxPerIp: 10 });
    const open: JsonClient[] = [];
    const connect = async (localAddress: string) => {
      const client = new JsonClient(`${narrow.wsUrl}?token=${apiKey}`, [], { localAddress });
      open.push(client);
      return client
        .until(({ type }) => type === 'connected')
        .then(
          () => 'connected',
          () => 'refused',
        );
    };
    for (let i = 0; i < 10; i++) expect(await connect('127.0.0.2')).toBe('connected');
    expect(await connect('127.0.0.2')).toBe('refused');
    for (let i = 10; i < 12; i++) expect(await connect('127.0.0.3')).toBe('connected');
    expect(await connect('127.0.0.3')).toBe('refused');
    await Promise.all(open.map((client) => client.close()));
    await narrow.close();
  });
});

test('A10: a thousand connections all get an update, and a history keeps it', async () => {
  const url = `${gateway.wsUrl.replace('/ws', '/ws/server:a10')}?token=${apiKey}`;
  const clients: JsonClient[] = [];
  for (let opened = 0; opened < 1000; opened += 100) {
    const some = Array.from({ length: 100 }, () => new JsonClient(url));
    clients.push(...some);
    await Promise.all(some.map((client) => client.until(({ type }) => type === 'snapshot')));
  }
  await update('a10', { data: 'everywhere' });
  await Promise.all(clients.map((client) => client.count('server:a10', 1)));
  const history = await gateway.read<{ messages: object[] }>('/api/topics/server:a10/history');
  expect(history.messages).toMatchObject([{ data: 'everywhere' }]);
  for (const client of clients) client.socket.terminate();
});

test('A2: a client that responds to no heartbeat is ended, and counted', async () => {
  await silent.end();
  expect(await impatient.metric('sluice_heartbeat_timeouts_total')).toBe(1);
});

import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import WebSocket from 'ws';
import { SluiceClient } from '../../src/client/index.ts';
import { Publisher } from '../../src/publisher/index.ts';
import { TestBrowser } from '../support/browser.ts';
import { ofFile, ofTest, opened } from '../support/opened.ts';
import { startSite } from '../support/site.ts';
import { apiKey } from '../support/tokens.ts';
import { OldClient, type OldMessage } from './clients/old-client.ts';
import { type SystemsGateway, startSystems } from './gateway.ts';

const topics = ['stats', 'rules', 'system', 'logs', 'alerts', 'notifications'];
/** A helper for each kind of broadcast, as the old backend had them. */
const kinds = {
  stats_update: 'stats',
  rule_change: 'rules',
  system_event: 'system',
  log: 'logs',
  alert: 'alerts',
  notification: 'notifications',
} as const;
type Kind = keyof typeof kinds;

const site = ofFile(() =>
  startSite(readFileSync(new URL('clients/web-administration.html', import.meta.url), 'utf8')),
);
const gateway = ofFile(() => startSystems({ compat: ['c', 'd'], origins: [new URL(site.url).origin] }));
const urlAt = ({ socketBase }: SystemsGateway) => `${socketBase}/api/ws/realtime?token=${apiKey}`;
const open = () => opened(new OldClient(urlAt(gateway)).opened());

const broadcast = (type: Kind, data: object) =>
  gateway.publish({ topic: `admin:${kinds[type]}`, type, data });

/** What came, alone or in batches. */
const flat = ({ frames }: OldClient): OldMessage[] =>
  frames.flatMap((each) => (each.type === 'batch' ? (each['messages'] as OldMessage[]) : [each]));

test('C1: all topics and types are what they were', async () => {
  const client = await open();
  for (const topic of topics) {
    expect(await client.ask({ type: 'subscribe', topic }, 'subscription')).toMatchObject({ topic });
    expect(await client.ask({ type: 'subscribe', topic }, 'subscription')).toMatchObject({ topic });
  }
  for (const type of Object.keys(kinds) as Kind[]) await broadcast(type, { of: type });
  await broadcast('rule_change', { rule_id: 7, action: 'updated', details: { on: true } });
  await client.until(() => flat(client).filter(({ type }) => type in kinds).length === 7);
  for (const [type, topic] of Object.entries(kinds)) {
    const [message] = flat(client).filter((each) => each.type === type);
    expect(message).toEqual({ type, topic, data: { of: type }, timestamp: expect.stringMatching(/Z$/) });
  }
  expect(flat(client).find(({ rule_id }) => rule_id === 7)).toMatchObject({
    type: 'rule_change',
    topic: 'rules',
    action: 'updated',
    details: { on: true },
    data: { rule_id: 7 },
  });
  expect(await client.ask({ type: 'ping' }, 'pong')).toMatchObject({ timestamp: expect.any(String) });
  for (const topic of topics) {
    expect(await client.ask({ type: 'unsubscribe', topic }, 'unsubscription')).toMatchObject({ topic });
    expect(await client.ask({ type: 'unsubscribe', topic }, 'unsubscription')).toMatchObject({ topic });
  }
  await broadcast('alert', { late: true });
  expect(await client.ask({ type: 'subscribe', topic: 'cookies' }, 'error')).toMatchObject({
    code: 'invalid_request',
    message: expect.stringContaining('must be one of stats'),
  });
  expect(flat(client).filter(({ type }) => type === 'alert')).toHaveLength(1);
});

test('C2: events that follow each other leave in batches of at most 10', async () => {
  const client = await open();
  await client.ask({ type: 'subscribe', topic: 'logs' }, 'subscription');
  let sent = 0;
  const together = async (count: number) => {
    const items = Array.from({ length: count }, () => ({
      topic: 'admin:logs',
      type: 'log',
      data: { n: sent++ },
    }));
    const before = client.frames.length;
    await gateway.send('POST', '/api/publish/batch', items);
    await client.until(() => flat(client).filter(({ type }) => type === 'log').length === sent);
    return client.frames.slice(before).map((each) => each['count'] ?? 1);
  };
  expect(await together(1)).toEqual([1]);
  expect(await together(9)).toEqual([9]);
  expect(await together(10)).toEqual([10]);
  expect(await together(11)).toEqual([10, 1]);
  expect(await together(35)).toEqual([10, 10, 10, 5]);
  const logs = flat(client).filter(({ type }) => type === 'log');
  expect(logs.map(({ data }) => (data as { n: number }).n)).toEqual(
    Array.from({ length: sent }, (_, n) => n),
  );
  expect(client.publications('batch')[0]).toMatchObject({
    topic: 'logs',
    timestamp: expect.stringMatching(/Z$/),
  });
});

const publisher = () =>
  ofTest(new Publisher({ url: gateway.url, credential: apiKey, broadcastNamespace: 'admin' }));

test('C2: a gateway that stops sends what waits in the window before it sends its clients away', async () => {
  const stopping = await startSystems({ compat: ['c'] });
  const client = await new OldClient(urlAt(stopping)).opened();
  await client.ask({ type: 'subscribe', topic: 'logs' }, 'subscription');
  // The first leaves at once, the others wait for the end of its window.
  for (let n = 0; n < 30; n++) await stopping.publish({ topic: 'admin:logs', type: 'log', data: { n } });
  await stopping.close();
  expect((await client.end()).code).toBe(4000);
  const lines = flat(client).filter(({ type }) => type === 'log');
  expect(lines.map(({ data }) => (data as { n: number }).n)).toEqual(Array.from({ length: 30 }, (_, n) => n));
});

test('C3: each kind of broadcast has a helper, whose message the old clients get', async () => {
  const client = await open();
  for (const topic of topics) await client.ask({ type: 'subscribe', topic }, 'subscription');
  const { send } = publisher();
  await Promise.all([
    send.stats({ cpu: 1 }),
    send.ruleChange({ rule_id: 'r1', action: 'deleted' }),
    send.systemEvent({ level: 'warning' }),
    send.log('Zeile ü'),
    send.alert(null),
    send.notification([1]),
  ]);
  await client.until(() => flat(client).filter(({ type }) => type in kinds).length === 6);
  const told = Object.entries(kinds).map(([type]) => flat(client).find((each) => each.type === type));
  expect(told.map((each) => [each?.['topic'], each?.['data']])).toEqual([
    ['stats', { cpu: 1 }],
    ['rules', { rule_id: 'r1', action: 'deleted' }],
    ['system', { level: 'warning' }],
    ['logs', 'Zeile ü'],
    ['alerts', null],
    ['notifications', [1]],
  ]);
  expect(told[1]).toMatchObject({ rule_id: 'r1', action: 'deleted' });
});

test('C3: the events of an application’s bus are forwarded, until that is stopped', async () => {
  const client = await open();
  for (const topic of ['alerts', 'system']) await client.ask({ type: 'subscribe', topic }, 'subscription');
  const bus = new EventEmitter();
  const backend = publisher();
  const stop = backend.forward(bus, {
    system_event: 'admin:system',
    'disk.full': (disk: string) => ({ topic: 'admin:alerts', type: 'alert', data: { disk } }),
  });
  bus.emit('system_event', { level: 'warning' });
  bus.emit('disk.full', '/dev/sdä');
  expect(await client.message('system_event')).toMatchObject({ data: { level: 'warning' } });
  expect(await client.message('alert')).toMatchObject({ topic: 'alerts', data: { disk: '/dev/sdä' } });
  stop();
  bus.emit('system_event', { level: 'late' });
  await backend.send.systemEvent({ level: 'last' });
  await client.message('system_event', ({ data }) => (data as { level: string }).level === 'last');
  const levels = client.publications('system_event').map(({ data }) => (data as { level: string }).level);
  expect(levels).toEqual(['warning', 'last']);
});

test('C4: each client gets an id on connecting', async () => {
  const clients = [await open(), await open()];
  const ids = await Promise.all(
    clients.map(async (client) => (await client.message('connected'))['client_id']),
  );
  for (const id of ids) expect(id).toMatch(/^client_[\w-]{12}$/);
  expect(new Set(ids).size).toBe(2);
});

test('C5: the old page shows its state, comes back by itself, and sends what it kept', async () => {
  const browser = await opened(TestBrowser.launch());
  const { page, problems } = await browser.open(`${site.url}?gateway=${encodeURIComponent(urlAt(gateway))}`);
  await page.locator('#state', { hasText: 'online' }).waitFor();
  await gateway.publish({ topic: 'admin:stats', type: 'stats_update', data: { text: 'first' } });
  await page.locator('li', { hasText: 'stats_update first' }).waitFor();
  const clientId = await page.evaluate(() => {
    const page = globalThis as unknown as {
      client: { send(message: object): void; getStatus(): { clientId: string; queued: number } };
      queued: Promise<number>;
    };
    const { client } = page;
    const state = document.querySelector('#state') as Element;
    // In the turn in which the page is offline: it comes back after a second.
    page.queued = new Promise((resolve) => {
      new MutationObserver((_, observer) => {
        if (!state.textContent?.includes('offline')) return;
        observer.disconnect();
        for (let i = 0; i < 101; i++) client.send({ type: 'subscribe', topic: i === 0 ? 'nothing' : 'logs' });
        resolve(client.getStatus().queued);
      }).observe(state, { childList: true, characterData: true, subtree: true });
    });
    return client.getStatus().clientId;
  });
  await gateway.send('POST', `/api/connections/${clientId.replace('client_', '')}/disconnect`, {});
  const queued = await page.evaluate(() => (globalThis as unknown as { queued: Promise<number> }).queued);
  expect(queued).toBe(100);
  await page.locator('#state', { hasText: 'online' }).waitFor();
  await page.locator('li', { hasText: 'error topic must be one of' }).waitFor();
  await gateway.publish({ topic: 'admin:alerts', type: 'alert', data: { text: 'second' } });
  await page.locator('li', { hasText: 'alert second' }).waitFor();
  expect(await page.locator('li', { hasText: 'stats_update first' }).count()).toBe(1);
  expect(problems).toEqual([]);
});

test('C5: the SDK reconnects, keeps 100 messages meanwhile, tells its state, and loses nothing', async () => {
  const sockets: WebSocket[] = [];
  class Tracked extends WebSocket {
    constructor(...args: ConstructorParameters<typeof WebSocket>) {
      super(...args);
      sockets.push(this);
    }
  }
  const client = ofTest(
    new SluiceClient(gateway.wsUrl, {
      WebSocket: Tracked,
      token: apiKey,
      reconnect: { delaysMs: [50], maxAttempts: 10 },
    }),
  );
  const states: string[] = [];
  client.on('state', ({ state }) => states.push(state));
  const heard: unknown[] = [];
  const subscription = client.subscribe('admin:system', {}, ({ data }) => heard.push(data));
  await client.connect();
  await broadcast('system_event', { n: 1 });
  await expect.poll(() => heard).toEqual([{ n: 1 }]);
  const gone = new Promise((resolve) => client.on('disconnect', resolve));
  sockets.at(-1)?.terminate();
  await gone;
  await broadcast('system_event', { n: 2 });
  const kept = Array.from({ length: 100 }, (_, i) =>
    client.publish('admin:notifications', 'notification', { i }),
  );
  await expect(client.publish('admin:notifications', 'notification', {})).rejects.toMatchObject({
    code: 'offline_queue_full',
  });
  expect(client.getStatus()).toMatchObject({ state: 'reconnecting', queued: 100 });
  const offsets = (await Promise.all(kept)).map(({ offset }) => offset);
  expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
  await expect.poll(() => heard).toEqual([{ n: 1 }, { n: 2 }]);
  expect(client.getStats()).toMatchObject({ connects: 2, disconnects: 1 });
  expect(states).toEqual(expect.arrayContaining(['connected', 'reconnecting']));
  subscription.unsubscribe();
  await expect
    .poll(async () => (await client.status()).subscriptions.map(({ topic }) => topic))
    .not.toContain('admin:system');
});

test('C6: a log stream pauses and goes on without a loss; a task shows its progress', async () => {
  const client = ofTest(new SluiceClient(gateway.wsUrl, { WebSocket, token: apiKey }));
  await client.connect();
  const lines: unknown[] = [];
  const stream = client.subscribe('admin:logs', {}, ({ data }) =>
    lines.push((data as { line: number }).line),
  );
  await expect.poll(() => stream.state).toBe('live');
  await broadcast('log', { line: 1 });
  await expect.poll(() => lines).toEqual([1]);
  const since = stream.position;
  stream.unsubscribe();
  for (const line of [2, 3]) await broadcast('log', { line });
  client.subscribe('admin:logs', { since }, ({ data }) => lines.push((data as { line: number }).line));
  await broadcast('log', { line: 4 });
  await expect.poll(() => lines).toEqual([1, 2, 3, 4]);
  await gateway.send('PUT', '/api/jobs/c6', { status: 'running', progress: 30 });
  const job = client.subscribe('job:c6');
  await expect.poll(() => job.current().size).toBe(1);
  expect([...job.current().values()]).toMatchObject([{ data: { progress: 30 } }]);
});

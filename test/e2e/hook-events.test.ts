import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startGateway } from '../support/gateway.ts';
import { GatewayProcess, lastingPort } from '../support/gateway-process.ts';
import { HookServer, hookSecret } from '../support/hook-server.ts';
import { JsonClient } from '../support/json-client.ts';

interface ToldBatch {
  readonly gateway: string;
  readonly run: string;
  readonly sequence: number;
  readonly resync?: { readonly page: number; readonly last: boolean; readonly topics: readonly string[] };
  readonly events: readonly ToldEvent[];
}

interface ToldEvent {
  readonly type: string;
  readonly topic?: string;
  readonly session?: string;
  readonly reason?: string;
}

let hooks: HookServer;
let flags: string[];
let gateway: GatewayProcess;

beforeAll(async () => {
  hooks = await HookServer.start();
  const port = String(await lastingPort());
  flags = ['--port', port, '--workers', '2', '--hook-events', hooks.url, '--hook-secret', hookSecret];
  gateway = await GatewayProcess.start(...flags);
});

afterAll(async () => {
  await gateway?.stop();
  hooks.close();
});

const batches = () => hooks.questions as unknown as readonly ToldBatch[];
const events = () => batches().flatMap((batch) => batch.events);
const eventsOf = (topic: string) => events().filter((event) => event.topic === topic);
const typesOf = (topic: string) => eventsOf(topic).map(({ type }) => type);

/** What an application knows that follows HOOKS.md. */
function occupied(): string[] {
  const topics = new Set<string>();
  for (const { resync, events: news } of batches()) {
    if (resync?.page === 1) topics.clear();
    for (const topic of resync?.topics ?? []) topics.add(topic);
    for (const { type, topic } of news) {
      if (type === 'occupied') topics.add(topic as string);
      if (type === 'vacated') topics.delete(topic as string);
    }
  }
  return [...topics].sort();
}

async function openClients(count: number): Promise<JsonClient[]> {
  const wsUrl = `${gateway.url.replace('http', 'ws')}/ws`;
  return Promise.all(Array.from({ length: count }, () => JsonClient.open(wsUrl)));
}

function workers(): number[] {
  const children = readFileSync(`/proc/${gateway.pid}/task/${gateway.pid}/children`, 'utf8');
  return children.trim().split(' ').map(Number);
}

test('one process tells of the topics of all workers, and of the sessions of one that is killed', async () => {
  await expect.poll(batches).toMatchObject([{ sequence: 1, resync: { last: true, topics: [] } }]);
  const clients = await openClients(16);
  for (const [index, client] of clients.entries())
    await client.call({ type: 'subscribe', subscriptions: [{ topic: 'shared' }, { topic: `own:${index}` }] });
  await expect.poll(() => typesOf('shared').length).toBe(17);
  expect(typesOf('shared').filter((type) => type === 'occupied')).toHaveLength(1);
  expect(new Set(batches().map(({ gateway: name, run }) => `${name} ${run}`)).size).toBe(1);
  process.kill(workers()[0] as number, 'SIGKILL');
  const gone = () => clients.filter(({ closed }) => closed !== undefined);
  const left = () => events().filter(({ type }) => type === 'disconnected');
  await expect.poll(() => gone().length > 0 && left().length === gone().length).toBe(true);
  expect(left().every(({ reason }) => reason === 'going_away')).toBe(true);
  const open = clients.filter(({ closed }) => closed === undefined);
  await expect
    .poll(occupied)
    .toEqual(['shared', ...open.map((client) => `own:${clients.indexOf(client)}`)].sort());
  await Promise.all(open.map((client) => client.close()));
  await expect.poll(occupied).toEqual([]);
  expect(typesOf('shared').slice(-1)).toEqual(['vacated']);
  expect(batches().map(({ sequence }) => sequence)).toEqual(batches().map((_, index) => index + 1));
});

test('a run that follows a crash begins with a resync, under the same name', async () => {
  const [client] = (await openClients(1)) as [JsonClient];
  await client.call({ type: 'subscribe', topic: 'before' });
  await expect.poll(occupied).toEqual(['before']);
  const [{ gateway: name, run }] = batches() as [ToldBatch];
  await gateway.kill();
  hooks.questions = [];
  gateway = await GatewayProcess.start(...flags);
  const [back] = (await openClients(1)) as [JsonClient];
  await back.call({ type: 'subscribe', topic: 'after' });
  await expect.poll(occupied).toEqual(['after']);
  expect(batches()[0]).toMatchObject({ gateway: name, sequence: 1, resync: { page: 1, last: true } });
  expect(batches()[0]?.run).not.toBe(run);
  await back.close();
});

test('events that were dropped are made up for by a resync of what is occupied, in pages', async () => {
  hooks.reset();
  hooks.answer = () => 503;
  const small = await startGateway({
    hookEvents: hooks.url,
    hookSecret,
    eventQueueMaxBytes: 65_536,
    subscriptionsPerSession: 2000,
    commandsPerSecond: 10_000,
  });
  onTestFinished(() => small.close());
  const client = await JsonClient.open(small.wsUrl);
  const topics = Array.from({ length: 1500 }, (_, i) => `paged:${i}`);
  for (let from = 0; from < topics.length; from += 100)
    await client.call({
      type: 'subscribe',
      subscriptions: topics.slice(from, from + 100).map((topic) => ({ topic })),
    });
  expect(small.metrics.eventsDroppedTotal.value).toBeGreaterThan(500);
  hooks.reset();
  await expect.poll(() => occupied().length).toBe(1500);
  const pages = batches().flatMap(({ resync }) => (resync === undefined ? [] : [resync]));
  expect(
    pages
      .filter(({ topics: page }) => page.length > 0)
      .map(({ last }) => last)
      .slice(-2),
  ).toEqual([false, true]);
  await client.call({ type: 'unsubscribe', topic: 'paged:7' });
  await expect.poll(() => occupied().length).toBe(1499);
  await client.close();
});

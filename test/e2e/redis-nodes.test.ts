import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { JsonClient } from '../support/json-client.ts';
import { type RedisProcess, startRedis } from '../support/redis-server.ts';
import { apiKey, signToken, tokenSecret } from '../support/tokens.ts';

const userCap = 4;
const topicsOfUser = 50;
const historyOfUser = 16_384;
const nodeTimeoutMs = 2000;
/** A slow Redis is none that is away. */
const redisTimeoutMs = 10_000;
let redis: RedisProcess;
let gateways: TestGateway[] = [];
/** Another machine, with two processes. */
let machine: GatewayProcess;

beforeAll(async () => {
  redis = await startRedis();
  const open = () =>
    startGateway({
      engine: 'redis',
      redis: redis.url,
      redisNodeTimeoutMs: nodeTimeoutMs,
      redisTimeoutMs,
      apiKeys: [apiKey],
      tokenSecret,
      connectionsMaxPerUser: userCap,
      topicsMaxPerClient: topicsOfUser,
      historyMaxBytesPerClient: historyOfUser,
    });
  const started = GatewayProcess.start(
    ...['--port', '0', '--workers', '2', '--engine', 'redis', '--redis', redis.url],
    ...['--redis-node-timeout-ms', String(nodeTimeoutMs), '--redis-timeout-ms', String(redisTimeoutMs)],
    ...['--token-secret', tokenSecret, '--topics-max-per-client', String(topicsOfUser)],
    ...['--history-max-bytes-per-client', String(historyOfUser)],
    ...['--api-key', apiKey, '--connections-max-per-user', String(userCap)],
  );
  [machine, ...gateways] = await Promise.all([started, open(), open()]);
});

afterAll(async () => {
  await Promise.all([...gateways.map((gateway) => gateway.close()), machine?.kill()]);
  await redis.remove();
});

const tokenOf = (user: string) =>
  signToken({ sub: user, topics: [{ pattern: '*', allow: ['subscribe', 'presence'] }] });
const wsUrlOf = ({ url }: { readonly url: string }) => `${url.replace('http', 'ws')}/ws`;

async function open(at: { readonly url: string }, user: string): Promise<JsonClient> {
  return JsonClient.open(`${wsUrlOf(at)}?token=${await tokenOf(user)}`);
}

async function isRefused(at: { readonly url: string }, user: string): Promise<boolean> {
  return open(at, user).then(
    (client) => client.close().then(() => false),
    () => true,
  );
}

async function get<T>({ url }: { readonly url: string }, path: string): Promise<T> {
  const headers = { 'x-api-key': apiKey, connection: 'close' };
  return (await (await fetch(url + path, { headers })).json()) as T;
}

interface Listed {
  readonly count: number;
  readonly connections: readonly { readonly id: string }[];
}

const closeAll = (clients: readonly JsonClient[]) => Promise.all(clients.map((client) => client.close()));

/**
 * How many members of its topic a client has been told of. A busy machine that was silent for the time-out is taken for
 * gone, and comes back: they are told once more then.
 */
function members({ frames }: JsonClient): number {
  const told = (wanted: string) => frames.filter(({ type }) => type === wanted).length;
  return told('joined') - told('left');
}

function workers(): number[] {
  const { pid } = machine;
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
}

test('all machines hold a user to one cap, and a place that is given back at one is free at all', async () => {
  const [a, b] = gateways as [TestGateway, TestGateway];
  // Each of them below its own cap.
  const clients = [await open(a, 'capped'), await open(b, 'capped'), await open(machine, 'capped')];
  expect(clients).toHaveLength(userCap - 1);
  clients.push(await open(machine, 'capped'));
  for (const each of [a, b, machine]) await expect.poll(() => isRefused(each, 'capped')).toBe(true);
  expect(await isRefused(a, 'other')).toBe(false);
  await clients[0]?.close();
  await expect.poll(() => isRefused(b, 'capped')).toBe(false);
  await expect.poll(() => isRefused(machine, 'capped')).toBe(false);
  await closeAll(clients);
});

let made = 0;

/** Publishes to new topics. Undefined: all were made; else the code of the refusals. */
async function make(at: { readonly url: string }, user: string, count: number, data: unknown = 1) {
  const items = Array.from({ length: count }, () => ({ topic: `made:${made++}`, type: 'x', data }));
  const token = await signToken({ sub: user, topics: [{ pattern: '*', allow: ['publish'] }] });
  const response = await fetch(`${at.url}/api/publish/batch`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      connection: 'close',
      authorization: `Bearer ${token}`,
    },
    body: JSON.stringify(items),
  });
  return /"code":"(\w+)"/.exec(await response.text())?.[1];
}

test('the histories of a user make room for each other at all processes of all machines', async () => {
  const [a, b] = gateways as [TestGateway, TestGateway];
  const evicted = async ({ url }: { readonly url: string }) => {
    const headers = { 'x-api-key': apiKey, connection: 'close' };
    const text = await (await fetch(`${url}/metrics`, { headers })).text();
    return Number(/^sluice_ring_evictions_total\{reason="total"\} (\d+)/m.exec(text)?.[1] ?? 0);
  };
  expect(await make(b, 'large', 10, 'x'.repeat(historyOfUser / 4))).toBeUndefined();
  const atOne = await evicted(b);
  expect(atOne).toBeGreaterThan(5);
  for (const each of [a, machine]) await expect.poll(() => evicted(each)).toBe(atOne);
});

test('all processes of all machines charge a user for a topic, whichever it was made at', async () => {
  const [a, b] = gateways as [TestGateway, TestGateway];
  for (const [at, user] of [
    [a, 'maker'],
    [machine, 'another'],
  ] as const) {
    expect(await make(at, user, topicsOfUser)).toBeUndefined();
    for (const other of [a, b, machine, machine, machine, machine]) {
      // Each connection may be of another process; those that have not heard of it yet refuse it soon.
      const before = made;
      await expect.poll(() => make(other, user, 1)).toBe('too_many_topics');
      expect(made - before).toBeLessThan(topicsOfUser / 2);
    }
  }
});

test('each knows the connections and members of all processes of all machines, and ends them', async () => {
  const [a] = gateways as [TestGateway];
  const watcher = await open(a, 'watcher');
  await watcher.call({ type: 'subscribe', topic: 'room', presence: true });
  const there = await Promise.all(Array.from({ length: 12 }, (_, i) => open(machine, `member-${i}`)));
  for (const client of there) await client.call({ type: 'subscribe', topic: 'room' });
  await expect.poll(() => members(watcher)).toBe(there.length);
  for (const client of [watcher, there[0] as JsonClient])
    await expect.poll(() => client.call({ type: 'presence', topic: 'room' })).toMatchObject({ count: 13 });
  for (const each of [a, machine]) {
    // A process that is too slow with its reply is left out.
    const listed = async () => {
      const { count, connections } = await get<Listed>(each, '/api/connections?topic=room&limit=100');
      return [count, new Set(connections.map(({ id }) => id)).size];
    };
    await expect.poll(listed).toEqual([13, 13]);
    await expect
      .poll(() => get(each, '/api/stats'))
      .toMatchObject({ connections: { active: 13 }, users: 13 });
    await expect.poll(() => get(each, '/api/topics/room')).toMatchObject({ subscribers: 13 });
  }
  const session = there[0]?.frames.find(({ type }) => type === 'connected')?.['session'];
  expect((await a.post(`/api/connections/${session}/disconnect`, '', { 'x-api-key': apiKey })).status).toBe(
    200,
  );
  await expect.poll(() => members(watcher)).toBe(there.length - 1);
  // A process that ends takes its members along, those of the other one stay.
  process.kill(workers()[0] as number, 'SIGKILL');
  const gone = () => there.filter(({ closed }) => closed !== undefined).length;
  await expect.poll(() => gone() > 1 && gone() + members(watcher)).toBe(there.length);
  expect(gone()).toBeLessThan(there.length);
  await closeAll([...there, watcher]);
});

test('a client that polls takes its place along to another machine', async () => {
  const [a, b] = gateways as [TestGateway, TestGateway];
  const clients = [await open(a, 'poller'), await open(b, 'poller'), await open(b, 'poller')];
  const poll = async ({ url }: { readonly url: string }, cursor: string) => {
    const response = await fetch(`${url}/poll?topic=t&timeoutSeconds=0${cursor}`, {
      headers: { authorization: `Bearer ${await tokenOf('poller')}`, connection: 'close' },
    });
    return { status: response.status, cursor: response.headers.get('sluice-cursor') ?? '' };
  };
  let { cursor, status } = await poll(a, '');
  expect(status).toBe(200);
  await expect.poll(() => isRefused(b, 'poller')).toBe(true);
  for (const each of [b, machine, a]) {
    ({ cursor, status } = await poll(each, `&cursor=${encodeURIComponent(cursor)}`));
    expect(status).toBe(200);
    await expect.poll(() => isRefused(each, 'poller')).toBe(true);
  }
  await closeAll(clients);
});

test('a machine that is suspended for longer than its time-out is taken for gone, and comes back with all that it has', async () => {
  const [a] = gateways as [TestGateway];
  const watcher = await open(a, 'watcher');
  await watcher.call({ type: 'subscribe', topic: 'frozen', presence: true });
  const there = await Promise.all(Array.from({ length: userCap }, () => open(machine, 'suspended')));
  for (const client of there) await client.call({ type: 'subscribe', topic: 'frozen' });
  await expect.poll(() => members(watcher)).toBe(userCap);
  await expect.poll(() => isRefused(a, 'suspended')).toBe(true);
  const publish = (data: number) => {
    const body = JSON.stringify({ topic: 'frozen', type: 'update', data });
    return a.post('/api/publish', body, { 'x-api-key': apiKey });
  };
  const had = (client: JsonClient) => client.publications('frozen').map(({ offset }) => offset);
  await publish(1);
  for (const client of there) await expect.poll(() => had(client)).toEqual([1]);
  const suspended = [machine.pid, ...workers()];
  const signal = (name: NodeJS.Signals) => {
    for (const pid of suspended) process.kill(pid, name);
  };
  onTestFinished(() => signal('SIGCONT'));
  signal('SIGSTOP');
  await expect.poll(() => members(watcher)).toBe(0);
  await expect.poll(() => isRefused(a, 'suspended')).toBe(false);
  for (const data of [2, 3]) await publish(data);
  signal('SIGCONT');
  await expect.poll(() => members(watcher)).toBe(userCap);
  await expect.poll(() => isRefused(a, 'suspended')).toBe(true);
  for (const client of there) await expect.poll(() => had(client)).toEqual([1, 2, 3]);
  const present = () => watcher.call({ type: 'presence', topic: 'frozen' });
  await expect.poll(present).toMatchObject({ count: userCap + 1 });
  await closeAll([...there, watcher]);
});

test('the places of a machine that is killed are free within its time-out', async () => {
  const [a, b] = gateways as [TestGateway, TestGateway];
  const clients = await Promise.all(Array.from({ length: userCap }, () => open(machine, 'left')));
  await expect.poll(() => isRefused(a, 'left')).toBe(true);
  await machine.kill();
  await expect.poll(() => isRefused(a, 'left')).toBe(false);
  await expect.poll(() => isRefused(b, 'left')).toBe(false);
  await closeAll(clients);
});

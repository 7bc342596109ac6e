import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import { type RunningServer, startServer } from '../../src/server.ts';
import { HookServer, hookSecret } from '../support/hook-server.ts';
import { JsonClient } from '../support/json-client.ts';
import { newFolder } from '../support/temporary.ts';
import { run } from './world.ts';

const folder = newFolder();
const file = join(folder, 'sluice.yaml');
const [old, rotated, other] = ['the-first-key-of-all', 'the-key-that-follows', 'a-key-that-stays-on'];
const first = {
  port: 0,
  canary: false,
  anonymous: true,
  apiKeys: [
    { name: 'old', key: old },
    { name: 'other', key: other },
  ],
  namespaces: { open: { anonymous: { publish: true } } },
};

let server: RunningServer;
let ask: () => void = () => undefined;
let end: (reason: string) => void = () => undefined;
const lines: Record<string, unknown>[] = [];
let exited: Promise<unknown>;

const write = (content: Record<string, unknown>) => writeFileSync(file, stringify(content));

/** Asks for a reload, of this content of the file if there is any, and returns what the log then says. */
async function reload(content?: Record<string, unknown>): Promise<Record<string, unknown>[]> {
  if (content !== undefined) write(content);
  const before = lines.length;
  ask();
  const isOver = ({ msg }: Record<string, unknown>) => /the configuration was/.test(String(msg));
  await expect.poll(() => lines.slice(before).some(isOver)).toBe(true);
  return lines.slice(before);
}

beforeAll(async () => {
  write(first);
  await new Promise<void>((started) => {
    exited = run(['--config', file], {
      logTo: { write: (line) => void lines.push(JSON.parse(line)) },
      startServer: async (config, options) => {
        server = await startServer(config, options);
        started();
        return server;
      },
      onReload: (run) => {
        ask = run;
      },
      untilStopped: () =>
        new Promise((resolve) => {
          end = resolve;
        }),
    });
  });
});

afterAll(async () => {
  end('the test');
  await exited;
});

const url = () => `http://127.0.0.1:${server.port}`;

async function publish(topic: string, key?: string): Promise<number> {
  const response = await fetch(`${url()}/api/publish`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key !== undefined && { 'x-api-key': key }) },
    body: JSON.stringify({ topic, type: 'e', data: 1 }),
  });
  return response.status;
}

const connect = (key?: string) =>
  JsonClient.open(`ws://127.0.0.1:${server.port}/ws${key === undefined ? '' : `?token=${key}`}`);

test('keys, namespaces and limits hold from the reload on, for open sessions too', async () => {
  const [withOld, withOther, anonymous] = [await connect(old), await connect(other), await connect()];
  await anonymous.call({ type: 'subscribe', topic: 'news' });
  expect(await publish('a', old)).toBe(200);
  expect(await publish('open', undefined)).toBe(200);
  write({
    ...first,
    apiKeys: [
      { name: 'new', key: rotated },
      { name: 'other', key: other },
    ],
    connectionsMaxPerIp: 2,
    namespaces: { news: { anonymous: { subscribe: false } } },
    viewsMax: 77,
  });
  const told = await reload();
  expect(told.map(({ msg, changed, needRestart }) => [msg, changed ?? needRestart])).toEqual(
    expect.arrayContaining([
      ['options that need a restart keep their values', ['viewsMax']],
      [
        'the configuration was reloaded',
        [
          ...['apiKeys', 'connectionsMaxPerIp'],
          ...['namespaces.open.anonymous', 'namespaces.news.anonymous'],
        ],
      ],
    ]),
  );
  expect(JSON.stringify(told)).not.toContain(rotated);
  expect(await publish('a', old)).toBe(401);
  expect(await publish('a', rotated)).toBe(200);
  expect(await publish('open', undefined)).toBe(403);
  expect(await withOld.end()).toEqual({ code: 4501, reason: 'unauthorized' });
  await anonymous.until(({ type, reason }) => type === 'unsubscribed' && reason === 'forbidden');
  expect((await withOther.call({ type: 'ping' })).type).toBe('pong');
  // The two that are left are as many as there may be.
  const refused = await fetch(`${url()}/ws`);
  expect([refused.status, await refused.json()]).toMatchObject([
    429,
    { error: { code: 'too_many_connections_from_ip' } },
  ]);
  await withOther.close();
  await anonymous.close();
});

test('without anonymous access, sessions without a credential are ended', async () => {
  const anonymous = await connect();
  write({ ...first, anonymous: false });
  await reload();
  expect(await anonymous.end()).toMatchObject({ code: 4501 });
  expect(await publish('a', old)).toBe(200);
});

test('limits, histories and batches follow, also for open sessions and existing topics', async () => {
  await reload(first);
  const client = await connect(other);
  await client.call({ type: 'subscribe', topic: 'live' });
  const publishAll = async () => {
    const response = await fetch(`${url()}/api/publish/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': other },
      body: JSON.stringify(Array.from({ length: 9 }, (_, i) => ({ topic: 'live', data: i }))),
    });
    return response.status;
  };
  await publishAll();
  await client.count('live', 9);
  const limits = { commandsPerSecond: 2, subscriptionsPerSession: 1 };
  const sizes = { topicHistoryMaxPublications: 3, batchMaxPublications: 2 };
  const told = await reload({ ...first, ...limits, ...sizes });
  expect(told.flatMap(({ changed, needRestart }) => changed ?? needRestart ?? [])).toEqual(
    expect.arrayContaining(Object.keys({ ...limits, ...sizes })),
  );
  expect(told.some(({ needRestart }) => needRestart !== undefined)).toBe(false);
  const before = client.frames.length;
  await publishAll();
  await client.count('live', 18);
  const batches = client.frames
    .slice(before)
    .map(({ messages }) => (messages as unknown[] | undefined)?.length ?? 1);
  expect(Math.max(...batches)).toBe(2);
  const headers = { 'x-api-key': other };
  const topic = await (await fetch(`${url()}/api/topics/live`, { headers })).json();
  expect(topic).toMatchObject({ publications: 3 });
  expect(await client.call({ type: 'subscribe', topic: 'more' })).toMatchObject({
    results: [{ error: { code: 'too_many_subscriptions' } }],
  });
  const pings = await Promise.all([1, 2, 3].map(() => client.call({ type: 'ping' })));
  expect(pings.at(-1)).toMatchObject({ code: 'rate_limited' });
  await client.close();
});

test('a file with faults changes nothing, and the log says what is wrong', async () => {
  write({ ...first, apiKeys: [{ name: 'new', key: rotated }], connectionsMax: -1, nonsense: true });
  const [told] = await reload();
  expect(told).toMatchObject({
    level: 50,
    msg: 'the configuration was not reloaded, as it has faults: nothing changed',
    faults: [
      expect.stringContaining(`nonsense in ${file}: is no option`),
      expect.stringContaining(`connectionsMax in ${file}`),
    ],
  });
  expect([await publish('a', old), await publish('a', rotated)]).toEqual([200, 401]);
});

test.each<[string, string | Uint8Array, string]>([
  ['is too large', `#${'x'.repeat(2 ** 20)}`, 'is larger than 1024KiB'],
  ['is not UTF-8', Buffer.from([0x61, 0x3a, 0xff]), 'is not UTF-8'],
  ['ends in the middle', 'apiKeys: [{name: old,', 'is not YAML'],
  ['is gone', '', 'cannot be read: ENOENT'],
  ['is empty', '', 'no API key, token secret or keys of tokens are left'],
  ['was cut off before its keys', 'port: 0\n', 'are left'],
])('a file that %s changes nothing either', async (why, content, fault) => {
  if (why === 'is gone') rmSync(file);
  else writeFileSync(file, content);
  const [told] = await reload();
  expect(told).toMatchObject({
    msg: 'the configuration was not reloaded, as it has faults: nothing changed',
    faults: expect.arrayContaining([expect.stringContaining(fault)]),
  });
  expect([await publish('a', old), await publish('a', rotated)]).toEqual([200, 401]);
});

test('hooks begin, move to another URL and end, for open sessions too', async () => {
  const [before, after] = await Promise.all([HookServer.start(), HookServer.start()]);
  for (const hooks of [before, after]) {
    onTestFinished(() => hooks.close());
    hooks.answer = () => ({ allow: false, reason: hooks === before ? 'before' : 'after' });
  }
  write(first);
  await reload();
  const client = await connect();
  const refusal = async () =>
    (await client.call({ type: 'publish', topic: 'open', event: 'e', data: 1 }))['message'];
  const join = async () => (await client.call({ type: 'subscribe', topic: 'hooked' }))['results'];
  expect(await refusal()).toBeUndefined();
  const hooked = { ...first, hookSecret, hookPublish: before.url, hookEvents: before.url };
  const told = await reload(hooked);
  expect(told.map(({ changed, needRestart }) => changed ?? needRestart)).toEqual(
    expect.arrayContaining([['hookPublish', 'hookSecret'], ['hookEvents']]),
  );
  expect(await refusal()).toBe('before');
  await reload({ ...hooked, hookPublish: after.url, hookSubscribe: after.url });
  expect(await refusal()).toBe('after');
  expect(await join()).toMatchObject([{ error: { code: 'denied', message: 'after' } }]);
  expect(await fetch(`${url()}/ws`)).toMatchObject({ status: 426 });
  await reload({ ...hooked, hookPublish: '', hookConnect: after.url });
  expect(await refusal()).toBeUndefined();
  expect(await join()).toMatchObject([{ view: expect.any(Number) }]);
  expect(await fetch(`${url()}/ws`)).toMatchObject({ status: 403 });
  expect([before.forged, after.forged]).toEqual([0, 0]);
  await client.close();
});

test('without anonymous access, no client gets in about which the application was asked before', async () => {
  const hooks = await HookServer.start();
  onTestFinished(() => hooks.close());
  const hooked = { ...first, hookSecret, hookConnect: hooks.url };
  await reload(hooked);
  const asked = new Promise<() => void>((resolve) => {
    hooks.answer = () => new Promise((answer) => resolve(() => answer({ allow: true })));
  });
  const client = new JsonClient(`ws://127.0.0.1:${server.port}/ws`);
  const answer = await asked;
  await reload({ ...hooked, anonymous: false });
  answer();
  expect(await client.end()).toMatchObject({ code: 1006 });
});

test('at the end the log says that the gateway has stopped, and why', async () => {
  end('the test');
  await exited;
  expect(lines.at(-1)).toMatchObject({ reason: 'the test', msg: 'stopped' });
});

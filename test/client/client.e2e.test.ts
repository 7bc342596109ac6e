import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { type ClientOptions, SluiceClient, type Subscription } from '../../src/client/index.ts';
import { JsonClient } from '../../src/client/json/index.ts';
import { PageClient } from '../../src/client/page/index.ts';
import { GatewayProcess, lastingPort } from '../support/gateway-process.ts';
import { clientOfTest, gatewayOfTest } from '../support/sdk.ts';
import { newFile } from '../support/temporary.ts';

function connect(url: string, options: ClientOptions = {}): SluiceClient {
  const client = clientOfTest(url, options);
  void client.connect();
  return client;
}

/** Everything that a subscription tells, and a way to wait until it has told enough. */
function record(subscription: Subscription) {
  const told: unknown[] = [];
  const waiting: { readonly enough: () => boolean; readonly resolve: () => void }[] = [];
  const tell = (one: unknown): void => {
    told.push(one);
    for (const { enough, resolve } of waiting) if (enough()) resolve();
  };
  subscription.on('publication', ({ data }) => tell(data));
  subscription.on('snapshot', (entries) => tell(['snapshot', ...entries.keys()]));
  subscription.on('gap', ({ missing }) => tell(['gap', missing?.after, missing?.upto]));
  subscription.on('recovered', () => tell('recovered'));
  subscription.on('reset', () => tell('reset'));
  subscription.on('state', (state) => tell(state));
  const until = (enough: () => boolean): Promise<void> =>
    enough() ? Promise.resolve() : new Promise((resolve) => waiting.push({ enough, resolve }));
  return {
    told,
    until,
    has: (one: unknown) => until(() => told.some((other) => JSON.stringify(other) === JSON.stringify(one))),
  };
}

describe('against a real gateway', () => {
  it('publishes, and gets it back in order', async () => {
    const { wsUrl } = await gatewayOfTest();
    const client = connect(wsUrl);
    const subscription = client.subscribe('stats');
    const { told, has } = record(subscription);
    await has('live');
    const first = await client.publish('stats', 'test', 'a');
    const second = await client.publish('stats', 'test', 'b', { tags: { level: 'ok' } });
    expect(second).toEqual({ epoch: first.epoch, offset: first.offset + 1, duplicate: false });
    await has('b');
    expect(told.filter((one) => one !== 'live')).toEqual(['a', 'b']);
    expect(subscription.position).toEqual({ epoch: first.epoch, offset: second.offset });
  });

  // The call is the same for all of them, though their types differ.
  it.each([SluiceClient, PageClient, JsonClient] as unknown as (typeof SluiceClient)[])(
    'tells a listener that is given in place of options: %o',
    async (Client) => {
      const { wsUrl } = await gatewayOfTest();
      const client = new Client(wsUrl, { WebSocket });
      onTestFinished(() => client.close());
      const heard: unknown[] = [];
      const subscription = client.subscribe<number>('stats', ({ data }) => heard.push(data));
      await client.connect();
      await expect.poll(() => subscription.state).toBe('live');
      await connect(wsUrl).publish('stats', 'test', 1);
      await expect.poll(() => heard).toEqual([1]);
    },
  );

  it('counts a publication with the same messageId once', async () => {
    const { wsUrl } = await gatewayOfTest();
    const client = connect(wsUrl);
    const first = await client.publish('stats', 'test', 1, { messageId: 'm' });
    const again = await client.publish('stats', 'test', 1, { messageId: 'm' });
    expect(again).toEqual({ ...first, duplicate: true });
    await expect(client.publish('stats', 'test', 2, { messageId: 'm' })).rejects.toMatchObject({
      code: 'message_id_conflict',
    });
  });

  /** A reader that has had 1, and is back after up to `upto` were published. */
  async function away(upto: number, flags: Parameters<typeof gatewayOfTest>[0] = {}) {
    const { wsUrl } = await gatewayOfTest(flags);
    const [reader, writer] = [connect(wsUrl), connect(wsUrl)];
    const { told, has } = record(reader.subscribe('stats'));
    await has('live');
    await writer.publish('stats', 'test', 1);
    await has(1);
    reader.close();
    for (let n = 2; n <= upto; n++) await writer.publish('stats', 'test', n);
    void reader.connect();
    return { reader, writer, told, has };
  }

  it('gets what it missed while it was away, without a seam', async () => {
    const { reader, writer, told, has } = await away(4);
    await has('recovered');
    await writer.publish('stats', 'test', 5);
    await has(5);
    expect(told.filter((one) => typeof one === 'number')).toEqual([1, 2, 3, 4, 5]);
    expect(reader.getStats().gaps).toBe(0);
  });

  it('is told what the gateway no longer has', async () => {
    const { told, has } = await away(30, { topicHistoryMaxPublications: 10 });
    await has(30);
    const gap = told.find((one): one is [string, number, number] => Array.isArray(one) && one[0] === 'gap');
    expect(gap?.[1]).toBe(1);
    const numbers = told.filter((one): one is number => typeof one === 'number');
    // What was named as lost, and what came, are together everything.
    expect(numbers).toEqual([
      1,
      ...Array.from({ length: 30 - (gap?.[2] ?? 0) }, (_, i) => (gap?.[2] ?? 0) + i + 1),
    ]);
  });

  it('shows a state topic as a map, and keeps it current', async () => {
    const { wsUrl } = await gatewayOfTest();
    const client = connect(wsUrl);
    await client.publish('server:a', 'monitoring_update', 1, { key: 'cpu' });
    await client.publish('server:a', 'monitoring_update', 2, { key: 'disk' });
    await client.publish('server:a', 'monitoring_update', 3, { key: 'cpu' });
    const subscription = client.subscribe<number>('server:a');
    const recorded = record(subscription as Subscription);
    await recorded.until(() => recorded.told.some((one) => Array.isArray(one) && one[0] === 'snapshot'));
    expect(subscription.current().get('cpu')?.data).toBe(3);
    expect(subscription.current().get('disk')?.data).toBe(2);
    await client.publish('server:a', 'monitoring_update', null, { key: 'disk', removed: true });
    await client.publish('server:a', 'monitoring_update', 4, { key: 'cpu' });
    await recorded.has(4);
    expect([...subscription.current()].map(([key, { data }]) => [key, data])).toEqual([['cpu', 4]]);
  });

  it('continues a pattern, with topics that were born while it was away', async () => {
    const { wsUrl } = await gatewayOfTest();
    const reader = connect(wsUrl);
    const writer = connect(wsUrl);
    const { told, has } = record(reader.subscribe('room:*'));
    await has('live');
    await writer.publish('room:a', 'test', 'a1');
    await has('a1');
    reader.close();
    await writer.publish('room:a', 'test', 'a2');
    await writer.publish('room:b', 'test', 'b1');
    void reader.connect();
    await has('a2');
    await has('b1');
    await writer.publish('room:b', 'test', 'b2');
    await has('b2');
    const data = told.filter((one) => typeof one === 'string' && /^[ab]\d$/.test(one));
    expect([...data].sort()).toEqual(['a1', 'a2', 'b1', 'b2']);
  });

  it('shares one wire subscription, and goes back for a latecomer', async () => {
    const { wsUrl } = await gatewayOfTest();
    const client = connect(wsUrl);
    const early = record(client.subscribe('stats'));
    await early.has('live');
    for (const n of [1, 2, 3]) await client.publish('stats', 'test', n);
    await early.has(3);
    const late = record(client.subscribe('stats', { last: 2 }));
    await late.has(3);
    await client.publish('stats', 'test', 4);
    await Promise.all([early.has(4), late.has(4)]);
    const numbers = (told: unknown[]) => told.filter((one) => typeof one === 'number');
    expect(numbers(early.told)).toEqual([1, 2, 3, 4]);
    expect(numbers(late.told)).toEqual([2, 3, 4]);
    expect((await client.status()).subscriptions.filter(({ topic }) => topic === 'stats')).toHaveLength(1);
  });

  it('filters by tags', async () => {
    const { wsUrl } = await gatewayOfTest();
    const client = connect(wsUrl);
    const { told, has } = record(
      client.subscribe('stats', { filter: { op: 'eq', tag: 'level', value: 'critical' } }),
    );
    await has('live');
    await client.publish('stats', 'test', 1, { tags: { level: 'ok' } });
    await client.publish('stats', 'test', 2, { tags: { level: 'critical' } });
    await has(2);
    expect(told.filter((one) => typeof one === 'number')).toEqual([2]);
  });

  it('returns history, presence and status', async () => {
    const { wsUrl } = await gatewayOfTest();
    const client = connect(wsUrl);
    const { session } = await client.connect();
    for (const n of [1, 2, 3]) await client.publish('stats', 'test', n);
    const page = await client.history<number>('stats', { after: 1 });
    expect(page.publications.map(({ data }) => data)).toEqual([2, 3]);
    expect(page).toMatchObject({ after: 1, upto: 3, more: false });
    expect((await client.status()).session).toBe(session);
    const status = client.getStatus();
    expect(status).toMatchObject({ state: 'connected', session });
    expect(Math.abs(status.serverOffsetMs)).toBeLessThan(5_000);
  });

  it('rejects with the code of the gateway', async () => {
    const { wsUrl } = await gatewayOfTest();
    const client = connect(wsUrl);
    await expect(client.publish('bad topic', 'test')).rejects.toMatchObject({
      code: 'invalid_topic',
      number: 104,
    });
    const codes: string[] = [];
    const subscription = client.subscribe('bad topic');
    await new Promise<void>((resolve) => {
      subscription.on('error', ({ code }) => {
        codes.push(code);
        resolve();
      });
    });
    expect(codes).toEqual(['invalid_topic']);
    expect(subscription.state).toBe('refused');
  });

  it('learns why its upgrade was refused', async () => {
    const { wsUrl } = await gatewayOfTest({ connectionsMaxPerIp: 1 });
    const first = connect(wsUrl);
    await first.connect();
    const second = connect(wsUrl);
    const code = await new Promise((resolve) => second.onError((error) => resolve(error.code)));
    expect(code).toBe('too_many_connections_from_ip');
    expect(second.getStatus().state).toBe('reconnecting');
  });

  it('has a live map of a state topic that is born inside a pattern', async () => {
    const file = newFile('sluice.yaml', 'namespaces: { values: { mode: state } }\n');
    const { wsUrl } = await gatewayOfTest({}, file);
    const client = connect(wsUrl);
    const pattern = client.subscribe('values:*');
    const { told, has } = record(pattern);
    const keys = () => [...pattern.current('values:a').keys()];
    const maps: string[][] = [];
    pattern.on('map', (_, topic) => maps.push([topic, ...keys()]));
    await has('live');
    await client.publish('values:a', 'test', 1, { key: 'cpu' });
    await has(1);
    expect(keys()).toEqual(['cpu']);
    await client.publish('values:a', 'test', 2, { key: 'disk' });
    await has(2);
    await client.publish('values:a', 'test', 3, { key: 'cpu', removed: true });
    await has(3);
    expect(keys()).toEqual(['disk']);
    expect(maps).toEqual([
      ['values:a', 'cpu'],
      ['values:a', 'cpu', 'disk'],
      ['values:a', 'disk'],
    ]);
    expect(told).toEqual(['live', 1, 2, 3]);
    // Nothing had to be asked for twice.
    expect(client.getStats()).toMatchObject({ connects: 1, gaps: 0 });
  });

  it('hears broadcasts without asking for them', async () => {
    const { wsUrl, post } = await gatewayOfTest();
    const client = connect(wsUrl);
    await client.connect();
    const heard = new Promise((resolve) =>
      client.on('publication', ({ topic, data }) => resolve([topic, data])),
    );
    const response = await post('/api/broadcast', JSON.stringify({ type: 'notice', data: 'hello' }));
    expect(response.status).toBe(200);
    expect(await heard).toEqual(['$all', 'hello']);
  });
});

describe('when the gateway is killed', () => {
  it('reconnects, tells that the topic has a new epoch, and sends what was published meanwhile', async () => {
    const port = String(await lastingPort());
    let gateway = await GatewayProcess.start('--port', port);
    onTestFinished(() => gateway.kill());
    const client = connect(`ws://127.0.0.1:${port}/ws`);
    const { told, has } = record(client.subscribe('stats'));
    await has('live');
    await client.publish('stats', 'test', 'before');
    await has('before');
    await gateway.kill();
    await has('pending');
    const offline = client.publish('stats', 'test', 'while away');
    gateway = await GatewayProcess.start('--port', port);
    // The new process has a memory of its own: another epoch.
    expect((await offline).offset).toBe(1);
    await has('while away');
    const words = told.filter((one) => one === 'reset' || one === 'before' || one === 'while away');
    expect(words).toEqual(['before', 'reset', 'while away']);
    expect(client.getStats()).toMatchObject({ connects: 2, disconnects: 1 });
  });
});

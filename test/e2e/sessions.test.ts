import { describe, expect, it } from 'vitest';
import type { TestGateway } from '../support/gateway.ts';
import { type Frame, JsonClient } from '../support/json-client.ts';
import { opened } from '../support/opened.ts';
import { ProtobufClient } from '../support/protobuf-client.ts';
import { RawSocket } from '../support/raw-socket.ts';
import { gatewayOfTest } from '../support/sdk.ts';
import { signToken, tokenSecret } from '../support/tokens.ts';

let gateway: TestGateway;

function connect(query = ''): Promise<JsonClient> {
  return opened(JsonClient.open(gateway.wsUrl + query));
}

const publish = async (topic: string, fields: Record<string, unknown> = {}) =>
  (await gateway.publish({ topic, type: 'e', ...fields })).offset;

interface Grants {
  readonly user?: string;
  readonly expiresIn?: string | number;
  readonly topics?: readonly { readonly pattern: string; readonly allow: readonly string[] }[];
}

async function token({ user = 'alice', expiresIn = '1h', topics = [] }: Grants = {}): Promise<string> {
  return signToken({ sub: user, topics }, { expiresIn });
}

const onlyResult = (reply: Frame) => (reply['results'] as Frame[])[0] as Frame;
const offsets = (publications: readonly Frame[]) => publications.map((publication) => publication['offset']);

describe('a new session', () => {
  it('is greeted first, with its id, the limits and the clock', async () => {
    gateway = await gatewayOfTest({ commandsPerSecond: 77, payloadMaxBytes: 1234, idleTimeoutSeconds: 30 });
    const before = Date.now();
    const [first, second] = [await connect(), await connect()];
    const [greeting] = first.frames;
    expect(greeting).toMatchObject({
      type: 'connected',
      session: expect.stringMatching(/^[A-Za-z0-9_-]{12}$/),
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      limits: { commandsPerSecond: 77, payloadMaxBytes: 1234, idleTimeoutMs: 30_000, subscriptions: 100 },
    });
    expect(greeting).not.toHaveProperty('id');
    expect(greeting).not.toHaveProperty('user');
    const time = Date.parse(greeting?.['time'] as string);
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(Date.now());
    expect(second.frames[0]?.['session']).not.toBe(greeting?.['session']);
  });

  it('joins $all, is told so, and a broadcast reaches everyone, in both codecs', async () => {
    gateway = await gatewayOfTest();
    const clients = [await connect(), await connect(), await connect()];
    const protobuf = await opened(ProtobufClient.open(gateway.wsUrl));
    const joined = await protobuf.kind('subscribed');
    expect(joined.results).toMatchObject([{ topic: '$all', mode: 'stream' }]);
    const [{ view } = { view: 0 }] = joined.results as readonly { view: number }[];
    const answer = await gateway.post('/api/broadcast', '{"type":"notice","data":{"text": "hello"}}');
    expect(await answer.json()).toMatchObject({ offset: 1 });
    for (const client of clients) {
      expect(await client.count('$all', 1)).toMatchObject([
        { type: 'notice', offset: 1, data: { text: 'hello' } },
      ]);
    }
    expect(await protobuf.count(view, 1)).toMatchObject([{ type: 'notice', offset: 1 }]);
  });

  it('that missed a broadcast recovers it by since, in place of what it joined by itself', async () => {
    gateway = await gatewayOfTest();
    const first = await connect();
    await gateway.post('/api/broadcast', '{"type":"n","data":1}');
    await first.count('$all', 1);
    const epoch = ((await (await fetch(`${gateway.url}/api/connections`)).json()) as { count: number }).count;
    expect(epoch).toBe(1);
    const status = await first.call({ type: 'history', topic: '$all' });
    await first.close();
    await gateway.post('/api/broadcast', '{"type":"n","data":2}');
    const again = await connect();
    const since = { epoch: status['epoch'], offset: 1 };
    const result = onlyResult(await again.call({ type: 'subscribe', topic: '$all', since }));
    expect(result).toMatchObject({ recovered: true, offset: 1 });
    await gateway.post('/api/broadcast', '{"type":"n","data":3}');
    expect((await again.count('$all', 2)).map((publication) => publication['data'])).toEqual([2, 3]);
    const { subscriptions } = (await again.call({ type: 'status' })) as unknown as {
      subscriptions: { topic: string }[];
    };
    expect(subscriptions.map(({ topic }) => topic)).toEqual(['$all']);
  });
});

describe('the commands of a session', () => {
  it('an empty key by HTTP and over WebSocket is the same publication', async () => {
    gateway = await gatewayOfTest();
    const client = await connect();
    await publish('p', { type: 'e', data: 1, key: '', messageId: 'm1' });
    const command = { type: 'publish', topic: 'p', event: 'e', data: 1, messageId: 'm1' };
    for (const repeat of [{ ...command, key: '' }, command])
      expect(await client.call(repeat)).toMatchObject({ type: 'published', offset: 1, duplicate: true });
  });

  it('except keeps a publication from one session, whose coverage moves on all the same', async () => {
    gateway = await gatewayOfTest();
    const [mine, other] = [await connect(), await connect()];
    const session = mine.frames[0]?.['session'] as string;
    for (const client of [mine, other]) await client.call({ type: 'subscribe', topic: 'x' });
    await mine.call({ type: 'publish', topic: 'x', event: 'own', data: 1, except: session });
    const empty = await mine.until((frame) => frame.type === 'batch' && frame['topic'] === 'x');
    expect(empty).toMatchObject({ after: 0, upto: 1, messages: [] });
    await publish('x', { data: 2 });
    expect(offsets(await other.count('x', 2))).toEqual([1, 2]);
    expect(await mine.count('x', 1)).toMatchObject([{ offset: 2, data: 2 }]);
    // Nor does it come by history or recovery.
    const page = await mine.call({ type: 'history', topic: 'x' });
    expect(offsets(page['messages'] as Frame[])).toEqual([2]);
    await mine.call({ type: 'unsubscribe', topic: 'x' });
    const since = { epoch: page['epoch'], offset: 0 };
    await mine.call({ type: 'subscribe', topic: 'x', since });
    const recovered = await mine.until((frame) => frame.type === 'batch' && frame['upto'] === 2);
    expect(recovered).toMatchObject({ after: 0, upto: 2 });
    expect(offsets(recovered['messages'] as Frame[])).toEqual([2]);
  });
});

describe('the end of a session', () => {
  it('by an operator closes it with 4500, and clients do not come back', async () => {
    gateway = await gatewayOfTest();
    const [client, other] = [await connect(), await connect()];
    const session = client.frames[0]?.['session'] as string;
    const answer = await gateway.post(`/api/connections/${session}/disconnect`, '{}');
    expect(await answer.json()).toEqual({ id: session, disconnected: true });
    expect(await client.end()).toEqual({ code: 4500, reason: 'disconnected' });
    expect(client.frames.at(-1)).toMatchObject({ type: 'goingAway', reason: 'disconnected' });
    expect((await gateway.post(`/api/connections/${session}/disconnect`, '{}')).status).toBe(404);
    expect((await other.call({ type: 'ping' })).type).toBe('pong');
  });

  it('by the end of the gateway is announced, with another delay for each, and closes with 4000', async () => {
    gateway = await gatewayOfTest();
    const clients = await Promise.all(Array.from({ length: 10 }, () => connect()));
    await clients[0]?.call({ type: 'subscribe', topic: 'last' });
    await publish('last');
    await gateway.close();
    const delays = new Set<unknown>();
    for (const client of clients) {
      expect(await client.end()).toEqual({ code: 4000, reason: 'going_away' });
      const last = client.frames.at(-1) as Frame;
      expect(last).toMatchObject({ type: 'goingAway', reason: 'going_away' });
      delays.add(last['reconnectDelayMs'] ?? 0);
    }
    expect(delays.size).toBeGreaterThan(1);
    expect(offsets(clients[0]?.publications('last') ?? [])).toEqual([1]);
    await expect(fetch(`${gateway.url}/healthz`)).rejects.toThrow();
  });

  it('by the end of its token closes with 4501, unless it was refreshed in time', async () => {
    gateway = await gatewayOfTest({ tokenSecret, tokenClockToleranceSeconds: 0 });
    const soon = Math.floor(Date.now() / 1000) + 5;
    const query = `?token=${await token({ expiresIn: soon })}`;
    const [expiring, refreshed] = [await connect(query), await connect(query)];
    expect(expiring.frames[0]).toMatchObject({ user: 'alice', expires: new Date(soon * 1000).toISOString() });
    const reply = await refreshed.call({ type: 'refresh', token: await token({ expiresIn: soon + 3600 }) });
    expect(reply).toMatchObject({
      type: 'refreshed',
      expires: new Date((soon + 3600) * 1000).toISOString(),
    });
    expect(await expiring.end()).toEqual({ code: 4501, reason: 'unauthorized' });
    expect(Date.now()).toBeGreaterThanOrEqual(soon * 1000);
    expect((await refreshed.call({ type: 'ping' })).type).toBe('pong');
    const bob = await token({ user: 'bob' });
    expect(await refreshed.call({ type: 'refresh', token: bob })).toMatchObject({ code: 'forbidden' });
  });
});

describe('a client that is dead', () => {
  it('is told from a silent one by its pongs, ended, and counted', async () => {
    gateway = await gatewayOfTest({ idleTimeoutSeconds: 10 });
    const silent = await connect();
    const dead = await RawSocket.webSocket(gateway.port);
    await dead.end();
    expect(await gateway.metric('sluice_heartbeat_timeouts_total')).toBe(1);
    expect(await gateway.metric('sluice_connections')).toBe(1);
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    expect(metrics).toContain('sluice_connections_closed_total{reason="idle_timeout"} 1\n');
    expect((await silent.call({ type: 'ping' })).type).toBe('pong');
  });
});

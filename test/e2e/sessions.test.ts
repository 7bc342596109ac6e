import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type Frame, JsonClient } from '../support/json-client.ts';
import { Opened } from '../support/opened.ts';
import { ProtobufClient } from '../support/protobuf-client.ts';
import { RawSocket } from '../support/raw-socket.ts';
import { signToken, tokenSecret } from '../support/tokens.ts';

let gateway: TestGateway;
const opened = new Opened();

afterEach(async () => {
  await opened.close();
  await gateway.close();
});

/** A gateway with tokens, whose topics `closed:…` need a permission. */
async function startClosed(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-'));
  const file = join(folder, 'sluice.yaml');
  await writeFile(file, 'namespaces: { closed: { anonymous: { subscribe: false } } }\n');
  gateway = await startGateway({ tokenSecret }, file);
  await rm(folder, { recursive: true });
}

function connect(query = ''): Promise<JsonClient> {
  return opened.open(JsonClient.open(gateway.wsUrl + query));
}

async function publish(topic: string, fields: Record<string, unknown> = {}): Promise<number> {
  const answer = await gateway.post('/api/publish', JSON.stringify({ topic, type: 'e', ...fields }));
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { offset: number }).offset;
}

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
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

describe('a new session', () => {
  it('is greeted first, with its id, the limits and the clock', async () => {
    gateway = await startGateway({ commandsPerSecond: 77, payloadMaxBytes: 1234, idleTimeoutSeconds: 30 });
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
    gateway = await startGateway();
    const clients = [await connect(), await connect(), await connect()];
    const protobuf = await opened.open(ProtobufClient.open(gateway.wsUrl));
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
    gateway = await startGateway();
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
  it('ping returns the time, and its round trip is counted', async () => {
    gateway = await startGateway();
    const client = await connect();
    const before = Date.now();
    const pong = await client.call({ type: 'ping', roundTripMs: 12.5 });
    expect(pong.type).toBe('pong');
    expect(Date.parse(pong['time'] as string)).toBeGreaterThanOrEqual(before);
    await client.call({ type: 'ping' });
    expect(await gateway.metric('sluice_client_round_trip_seconds_count')).toBe(1);
    expect(await gateway.metric('sluice_client_round_trip_seconds_sum')).toBeCloseTo(0.0125);
  });

  it('status tells the session, its subscriptions, and the messages that it was sent', async () => {
    gateway = await startGateway();
    const client = await connect();
    const { view } = onlyResult(await client.call({ type: 'subscribe', topic: 'a' }));
    await publish('a');
    await client.count('a', 1);
    const status = await client.call({ type: 'status' });
    const own = onlyResult(await client.until(({ type }) => type === 'subscribed'));
    expect(status).toMatchObject({
      type: 'status',
      session: client.frames[0]?.['session'],
      subscriptions: [
        { topic: '$all', view: own['view'] },
        { topic: 'a', view },
      ],
    });
    // The reply itself is not sent yet when it is counted.
    expect(status['messageCount']).toBe(client.frames.indexOf(status));
  });

  it('history is read page by page to its end', async () => {
    gateway = await startGateway();
    const client = await connect();
    for (let i = 0; i < 7; i++) await publish('pages');
    const read: unknown[] = [];
    let after = 0;
    for (let more = true; more; ) {
      const page = await client.call({ type: 'history', topic: 'pages', after, limit: 3 });
      expect(page['after']).toBe(after);
      read.push(...offsets(page['messages'] as Frame[]));
      after = page['upto'] as number;
      more = page['more'] as boolean;
    }
    expect(read).toEqual(upTo(7));
    expect(await client.call({ type: 'history', topic: 'unknown' })).toMatchObject({
      after: 0,
      upto: 0,
      more: false,
      messages: [],
    });
  });

  it('unsubscribe ends exactly what it names', async () => {
    gateway = await startGateway();
    const [client, other] = [await connect(), await connect()];
    const { view } = onlyResult(await client.call({ type: 'subscribe', topic: 'u' }));
    const filter = { op: 'exists', tag: 'x' };
    const { view: filtered } = onlyResult(await client.call({ type: 'subscribe', topic: 'u', filter }));
    await other.call({ type: 'subscribe', topic: 'u' });
    await publish('u', { tags: { x: '1' } });
    await client.count('u', 2);
    expect(await client.call({ type: 'unsubscribe', view })).toMatchObject({ views: [view] });
    await publish('u', { tags: { x: '1' } });
    await client.count('u', 3);
    expect(await client.call({ type: 'unsubscribe', topic: 'u' })).toMatchObject({ views: [filtered] });
    await publish('u', { tags: { x: '1' } });
    await other.count('u', 3);
    await client.call({ type: 'ping' });
    const got = client.publications('u');
    expect(got.map((publication) => [publication['view'], publication['offset']])).toEqual([
      ...[
        [view, 1],
        [filtered, 1],
      ].sort((a, b) => got.findIndex((p) => p['view'] === a[0]) - got.findIndex((p) => p['view'] === b[0])),
      [filtered, 2],
    ]);
  });

  it('publish returns the position of the publication, and a repeat of its messageId the same', async () => {
    gateway = await startGateway();
    const client = await connect();
    const command = { type: 'publish', topic: 'p', event: 'e', data: 1, messageId: 'm1' };
    const first = await client.call(command);
    expect(first).toMatchObject({ type: 'published', offset: 1 });
    const repeat = await client.call(command);
    expect(repeat).toMatchObject({ type: 'published', offset: 1, epoch: first['epoch'], duplicate: true });
    expect(await client.call({ ...command, data: 2 })).toMatchObject({ code: 'message_id_conflict' });
  });

  it('an empty key by HTTP and over WebSocket is the same publication', async () => {
    gateway = await startGateway();
    const client = await connect();
    await publish('p', { type: 'e', data: 1, key: '', messageId: 'm1' });
    const command = { type: 'publish', topic: 'p', event: 'e', data: 1, messageId: 'm1' };
    for (const repeat of [{ ...command, key: '' }, command])
      expect(await client.call(repeat)).toMatchObject({ type: 'published', offset: 1, duplicate: true });
  });

  it('except keeps a publication from one session, whose coverage moves on all the same', async () => {
    gateway = await startGateway();
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
    gateway = await startGateway();
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
    gateway = await startGateway();
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
    gateway = await startGateway({ tokenSecret, tokenClockToleranceSeconds: 0 });
    const soon = Math.floor(Date.now() / 1000) + 2;
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
    gateway = await startGateway({ idleTimeoutSeconds: 10 });
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

describe('what a session may do', () => {
  it('without a token is what its namespace lets anonymous clients do', async () => {
    gateway = await startGateway({ tokenSecret, anonymous: true });
    const client = await connect();
    expect(onlyResult(await client.call({ type: 'subscribe', topic: 'open' }))).not.toHaveProperty('error');
    for (const topic of ['user:alice', 'user:*', '*', '$probe', '$p*']) {
      const result = onlyResult(await client.call({ type: 'subscribe', topic }));
      expect(result['error'], topic).toMatchObject({ code: 'forbidden' });
    }
    const command = { type: 'publish', topic: 'open', event: 'e' };
    expect(await client.call(command)).toMatchObject({ code: 'forbidden' });
    expect(await client.call({ type: 'history', topic: 'user:alice' })).toMatchObject({ code: 'forbidden' });
  });

  it('with a token is what that grants, and its user’s topic is joined for it', async () => {
    gateway = await startGateway({ tokenSecret });
    const topics = [{ pattern: 'rooms:*', allow: ['publish'] }];
    const alice = await connect(`?token=${await token({ user: 'al ice', topics })}`);
    const joined = await alice.until(({ type }) => type === 'subscribed');
    expect((joined['results'] as Frame[]).map((result) => result['topic'])).toEqual([
      '$all',
      'user:al%20ice',
    ]);
    const command = { type: 'publish', topic: 'rooms:1', event: 'e', data: 1 };
    expect((await alice.call(command)).type).toBe('published');
    expect(await alice.call({ ...command, topic: 'room:1' })).toMatchObject({ code: 'forbidden' });
    expect(await alice.call({ ...command, topic: '$all' })).toMatchObject({ code: 'forbidden' });
    await publish('user:al%20ice', { data: 'for you' });
    expect(await alice.count('user:al%20ice', 1)).toMatchObject([{ data: 'for you' }]);
    const late = await connect();
    const reply = await late.call({ type: 'connect', token: await token({ user: 'al ice' }) });
    expect(reply).toMatchObject({ type: 'connected', user: 'al ice' });
    await publish('user:al%20ice', { data: 'again' });
    // Perhaps after what was not acknowledged yet.
    await expect.poll(() => late.publications('user:al%20ice').at(-1)).toMatchObject({ data: 'again' });
  });

  const granted = (...patterns: string[]) =>
    token({ topics: patterns.map((pattern) => ({ pattern, allow: ['subscribe'] })) });

  it('ends, over JSON, for subscriptions that a new token does not allow', async () => {
    await startClosed();
    const alice = await connect(`?token=${await granted('closed:*', 'open')}`);
    const subscriptions = ['closed:1', 'closed:2', 'open'].map((topic) => ({ topic }));
    const { results } = await alice.call({ type: 'subscribe', subscriptions });
    const [first, second] = results as Frame[];
    expect((await alice.call({ type: 'refresh', token: await granted('closed:*', 'open') })).type).toBe(
      'refreshed',
    );
    expect(alice.frames.some(({ type }) => type === 'unsubscribed')).toBe(false);
    expect((await alice.call({ type: 'refresh', token: await granted('closed:2', 'open') })).type).toBe(
      'refreshed',
    );
    const ended = alice.frames.filter(({ type }) => type === 'unsubscribed');
    expect(ended).toEqual([{ type: 'unsubscribed', views: [first?.['view']], reason: 'forbidden' }]);
    await publish('closed:1');
    await publish('closed:2');
    await publish('open');
    await alice.count('open', 1);
    await alice.count('closed:2', 1);
    expect(alice.publications('closed:1')).toEqual([]);
    expect(second).toMatchObject({ topic: 'closed:2' });
    expect(onlyResult(await alice.call({ type: 'subscribe', topic: 'closed:1' }))).toMatchObject({
      error: { code: 'forbidden' },
    });
    const bob = await token({ user: 'bob', topics: [{ pattern: 'closed:*', allow: ['subscribe'] }] });
    expect(await alice.call({ type: 'refresh', token: bob })).toMatchObject({ code: 'forbidden' });
    await publish('user:alice');
    await alice.count('user:alice', 1);
  });

  it('ends, over protobuf, for subscriptions that a new token does not allow', async () => {
    await startClosed();
    const alice = await opened.open(
      ProtobufClient.open(`${gateway.wsUrl}?token=${await granted('closed:*')}`),
    );
    const subscriptions = ['closed:1', 'closed:2'].map((topic) => ({ topic }));
    const reply = await alice.call('subscribe', { subscriptions });
    if (reply.kind !== 'subscribed') throw new Error(reply.kind);
    const [lost = 0, kept = 0] = reply.results.map((result) => ('view' in result ? result.view : 0));
    expect(await alice.call('refresh', { token: await granted('closed:2') })).toMatchObject({
      kind: 'refreshed',
    });
    const ended = alice.frames.filter(({ kind }) => kind === 'unsubscribed');
    expect(ended).toEqual([{ kind: 'unsubscribed', id: 0, views: [lost], reason: 'forbidden' }]);
    await publish('closed:1');
    await publish('closed:2');
    await alice.count(kept, 1);
    expect(alice.publications(lost)).toEqual([]);
    expect(await alice.call('refresh', { token: await token({ user: 'bob' }) })).toMatchObject({
      kind: 'error',
      code: 'forbidden',
    });
  });
});

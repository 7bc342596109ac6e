import { expect, it, vi } from 'vitest';
import { JsonClient, type JsonSubscription } from '../../../src/client/json/index.ts';
import type { Granted, TopicResult } from '../../../src/protocol/frames.ts';
import {
  FakeRuntime,
  type FakeSocket,
  greeting,
  publication,
  recordedSockets,
  settled,
} from '../support/fakes.ts';

function harness() {
  const runtime = new FakeRuntime();
  const { sockets, Recorded } = recordedSockets();
  const client = new JsonClient('ws://gateway.test/ws', { WebSocket: Recorded, runtime });
  const errors: string[] = [];
  client.on('error', ({ code }) => errors.push(code));
  const arrive = async (): Promise<FakeSocket> => {
    void client.connect();
    await settled();
    const socket = sockets.at(-1) as FakeSocket;
    socket.greet();
    await settled();
    return socket;
  };
  return { client, runtime, sockets, errors, arrive };
}

/** A client with a subscription that was granted. */
async function subscribed(over: Partial<Granted> = {}) {
  const h = harness();
  const subscription = h.client.subscribe(over.topic ?? 't');
  const told = record(subscription);
  const socket = await h.arrive();
  grant(socket, over);
  return { h, subscription, told, socket };
}

/** A client that was let in. */
async function arrived() {
  const h = harness();
  return { h, socket: await h.arrive() };
}

/** Everything that a subscription tells. */
function record(subscription: JsonSubscription): unknown[] {
  const told: unknown[] = [];
  subscription.on('publication', ({ data }) => told.push(data));
  subscription.on('gap', ({ topic, missing }) => told.push(['gap', topic, missing?.after, missing?.upto]));
  subscription.on('recovered', ({ topic }) => told.push(['recovered', topic]));
  subscription.on('reset', ({ epoch }, previous) => told.push(['reset', previous.epoch, epoch]));
  subscription.on('state', (state) => told.push(state));
  return told;
}

function grant(socket: FakeSocket, over: Partial<Granted> = {}): void {
  const result = { topic: 't', view: 1, mode: 'stream', epoch: 'e', offset: 0, ...over } as const;
  socket.reply('subscribe', { kind: 'subscribed', results: [result] });
}

function refuse(socket: FakeSocket, code: string, retryAfterMs?: number): void {
  const error = { code, number: 112, message: 'no', retry: retryAfterMs !== undefined, retryAfterMs };
  socket.reply('subscribe', { kind: 'subscribed', results: [{ topic: 't', error }] });
}

interface Of {
  readonly view?: number;
  readonly topic?: string;
  readonly cursor?: string;
}

function batch(socket: FakeSocket, after: number, upto: number, { view = 1, topic, cursor }: Of = {}) {
  const publications = Array.from({ length: upto - after }, (_, i) => publication(after + i + 1));
  socket.push({ kind: 'batch', view, topic, epoch: topic && 'e', after, upto, publications, cursor });
}

/** What the gateway was told that listeners have had, as `view:offset`. */
const acks = (socket: FakeSocket) =>
  socket.frames.flatMap((frame) =>
    frame.kind === 'ping' ? (frame.acks ?? []).map(({ view, offset }) => `${view}:${offset}`) : [],
  );

it('offers JSON alone, and delivers publications of one and of many', async () => {
  const h = harness();
  const subscription = h.client.subscribe('t', { last: 3, intervalMs: 100, conflate: true });
  const told = record(subscription);
  const socket = await h.arrive();
  expect(socket.protocol).toBe('sluice.v1.json');
  expect(socket.command('connect')).toMatchObject({ client: expect.stringMatching(/^sluice-js\//) });
  expect(socket.command('subscribe').subscriptions).toMatchObject([
    { topic: 't', last: 3, intervalMs: 100, conflate: true },
  ]);
  grant(socket);
  batch(socket, 0, 1);
  batch(socket, 1, 4);
  batch(socket, 2, 5);
  expect(told).toEqual(['live', 1, 2, 3, 4, 5]);
  expect(subscription.position).toEqual({ epoch: 'e', offset: 5 });
});

it('gives each publication its members, its time in milliseconds and its bytes', async () => {
  const h = harness();
  const got: unknown[] = [];
  h.client.subscribe('t', {}, (one) => got.push(one));
  const socket = await h.arrive();
  grant(socket);
  const data = { time: '2020-01-01', since: 'then', messages: [{ timestamp: 'x' }], tags: { expires: 'y' } };
  const tags = { time: 'noon', since: 'dawn' };
  const withTags = { ...publication(1, data, { key: 'k' }), tags };
  const binary = {
    ...publication(2),
    payload: { format: 'binary', bytes: new Uint8Array([0, 255]) },
  } as const;
  socket.push({ kind: 'batch', view: 1, after: 0, upto: 1, publications: [withTags] });
  socket.push({ kind: 'batch', view: 1, after: 1, upto: 3, publications: [binary, publication(3, null)] });
  const common = { topic: 't', type: 'test', timestampMs: 1_000 };
  expect(got).toEqual([
    { ...common, offset: 1, key: 'k', tags, data },
    { ...common, offset: 2, data: new Uint8Array([0, 255]) },
    { ...common, offset: 3, data: null },
  ]);
});

it('fetches a hole from its position, and at most once a second', async () => {
  const { h, told, socket } = await subscribed({ offset: 7 });
  batch(socket, 8, 9);
  expect(socket.command('unsubscribe').views).toEqual([1]);
  expect(socket.command('subscribe').subscriptions).toMatchObject([{ since: { epoch: 'e', offset: 7 } }]);
  batch(socket, 9, 10);
  grant(socket, { view: 2, offset: 7, recovered: true });
  batch(socket, 7, 9, { view: 2 });
  batch(socket, 10, 11, { view: 2 });
  expect(socket.count('subscribe')).toBe(2);
  await h.runtime.advance(1_000);
  expect(socket.command('subscribe').subscriptions).toMatchObject([{ since: { epoch: 'e', offset: 9 } }]);
  expect(told.filter((one) => typeof one === 'number')).toEqual([8, 9]);
});

it('continues after a loss where it was, and names what is gone', async () => {
  const { h, subscription, told, socket } = await subscribed({ cursor: 'c' });
  batch(socket, 0, 2);
  socket.end();
  expect(subscription.state).toBe('pending');
  const again = await h.arrive();
  expect(again.command('subscribe').subscriptions).toMatchObject([
    { since: { epoch: 'e', offset: 2 }, cursor: 'c' },
  ]);
  grant(again, { offset: 2, recovered: true });
  batch(again, 2, 3);
  again.end();
  const third = await h.arrive();
  grant(third, { offset: 9, recovered: false, missing: { after: 3, upto: 9 } });
  batch(third, 9, 10);
  const lost = ['gap', 't', 3, 9];
  expect(told).toEqual(['live', 1, 2, 'pending', ['recovered', 't'], 'live', 3, 'pending', lost, 'live', 10]);
});

it('tells of another epoch, and delivers what it begins with', async () => {
  const { h, told, socket } = await subscribed({ offset: 5 });
  socket.end();
  const again = await h.arrive();
  grant(again, { epoch: 'f', offset: 0, recovered: false });
  batch(again, 0, 1);
  expect(told).toEqual(['live', 'pending', ['reset', 'e', 'f'], 'live', 1]);
  again.push({ kind: 'reset', view: 1, topic: 't', epoch: 'g', offset: 0, mode: 'stream' });
  batch(again, 0, 1);
  expect(told.slice(-2)).toEqual([['reset', 'f', 'g'], 1]);
});

it('continues a pattern by its cursor, without what it had, and fetches holes from their positions', async () => {
  const topics: TopicResult[] = [{ topic: 'p:a', mode: 'stream', epoch: 'e', offset: 3 }];
  const { h, told, socket } = await subscribed({ topic: 'p:*', epoch: '', topics, cursor: 'c1' });
  batch(socket, 3, 5, { topic: 'p:a' });
  batch(socket, 0, 1, { topic: 'p:b' });
  socket.end();
  const again = await h.arrive();
  expect(again.command('subscribe').subscriptions).toMatchObject([{ topic: 'p:*', cursor: 'c1' }]);
  grant(again, { topic: 'p:*', epoch: '', recovered: true });
  batch(again, 3, 6, { topic: 'p:a' });
  batch(again, 0, 1, { topic: 'p:b' });
  const lost = { topic: 'p:b', epoch: 'e', offset: 4, missing: { after: 0, upto: 4 } };
  again.push({ kind: 'caughtUp', view: 1, recovered: false, ...lost });
  batch(again, 4, 5, { topic: 'p:b' });
  again.push({ kind: 'caughtUp', view: 1, topic: '', epoch: '', offset: 0, recovered: true, cursor: 'c2' });
  batch(again, 8, 9, { topic: 'p:a' });
  const positions = [{ topic: 'p:a', epoch: 'e', offset: 6 }];
  expect(again.command('subscribe').subscriptions).toEqual([{ topic: 'p:*', cursor: 'c2', positions }]);
  const gap = ['gap', 'p:b', 1, 4];
  expect(told.filter((one) => one !== 'live' && one !== 'pending')).toEqual([4, 5, 1, 6, gap, 5]);
});

it('tells that topics of a pattern may have come and gone where it goes on by positions alone', async () => {
  const topics: TopicResult[] = [{ topic: 'p:a', mode: 'stream', epoch: 'e', offset: 3 }];
  const { h, told } = await subscribed({ topic: 'p:*', epoch: '', topics });
  for (const recovered of [undefined, false]) {
    h.sockets.at(-1)?.end();
    const again = await h.arrive();
    const positions = [{ topic: 'p:a', epoch: 'e', offset: 3 }];
    expect(again.command('subscribe').subscriptions).toEqual([{ topic: 'p:*', positions }]);
    grant(again, { topic: 'p:*', epoch: '', recovered });
  }
  const gap = ['gap', 'p:*', undefined, undefined];
  expect(told).toEqual(['live', 'pending', 'live', 'pending', 'live', gap]);
});

it('goes on with a pattern whose topics all await their snapshots, and takes it for no new one', async () => {
  const topics: TopicResult[] = [{ topic: 'p:a', mode: 'state', epoch: 'e', offset: 3 }];
  const h = harness();
  const subscription = h.client.subscribe('p:*', { last: 2 });
  grant(await h.arrive(), { topic: 'p:*', epoch: '', topics });
  h.sockets.at(-1)?.end();
  const again = await h.arrive();
  const positions = [{ topic: 'p:a', epoch: '', offset: 3 }];
  expect(again.command('subscribe').subscriptions).toEqual([{ topic: 'p:*', positions }]);
  grant(again, { topic: 'p:*', epoch: '', recovered: false, topics: [{ ...topics[0]!, recovered: true }] });
  expect(subscription.current('p:a').size).toBe(0);
  const page = {
    kind: 'snapshot',
    view: 1,
    topic: 'p:a',
    epoch: 'e',
    offset: 3,
    first: true,
    last: true,
  } as const;
  again.push({ ...page, publications: [publication(1, 1, { key: 'a' })] });
  again.end();
  const third = await h.arrive();
  expect(third.command('subscribe').subscriptions).toEqual([
    { topic: 'p:*', positions: [{ topic: 'p:a', epoch: 'e', offset: 3 }] },
  ]);
  expect(subscription.current('p:a').size).toBe(1);
});

it('keeps the cursors of live batches, and forgets the quiet streams of a pattern above 10 000', async () => {
  const { h, told, socket } = await subscribed({ topic: 'p:*', epoch: '', cursor: 'c1' });
  const page = { kind: 'snapshot', view: 1, topic: 'p:state', epoch: 'e', offset: 1 } as const;
  socket.push({ ...page, first: true, last: true, publications: [publication(1, 1, { key: 'a' })] });
  for (let n = 0; n < 9_998; n++) batch(socket, 0, 1, { topic: `p:${n}` });
  const repeat = (topic: string) => {
    const before = told.length;
    batch(socket, 0, 1, { topic });
    return told.length > before;
  };
  const minute = async (topic: string, cursor: string) => {
    for (let i = 0; i < 2; i++) {
      socket.reply('ping', { kind: 'pong', timeMs: 0 });
      await h.runtime.advance(30_000);
    }
    batch(socket, 0, 1, { topic, cursor });
  };
  await minute('p:at the limit', 'c1');
  await minute('p:above', 'c2');
  expect(repeat('p:1')).toBe(false);
  await minute('p:above', 'c3');
  expect(['p:0', 'p:1', 'p:above', 'p:state'].map(repeat)).toEqual([true, false, false, false]);
  socket.end();
  const again = await h.arrive();
  expect(again.command('subscribe').subscriptions).toEqual([{ topic: 'p:*', cursor: 'c3' }]);
});

it('says at most once a second what listeners of an inbox have had, again where it was refused, and at the end', async () => {
  const h = harness();
  h.client.subscribe('t', {}, vi.fn());
  const socket = await h.arrive();
  expect(socket.command('connect')).toMatchObject({ capabilities: ['acks'] });
  grant(socket, { inbox: true });
  batch(socket, 0, 1);
  batch(socket, 1, 3);
  expect(acks(socket)).toEqual([]);
  await h.runtime.advance(1_000);
  expect(acks(socket)).toEqual(['1:3']);
  const error = { kind: 'error', code: 'rate_limited', number: 140, message: 'm', retry: true } as const;
  socket.reply('ping', error);
  await h.runtime.advance(1_000);
  expect(acks(socket)).toEqual(['1:3', '1:3']);
  socket.reply('ping', { kind: 'pong', timeMs: 0 });
  await h.runtime.advance(5_000);
  expect(acks(socket)).toHaveLength(2);
  batch(socket, 3, 4);
  h.client.close();
  expect(acks(socket).at(-1)).toBe('1:4');
});

it('says by the next connection what the last one could not, and nothing of what no listener heard', async () => {
  const h = harness();
  const subscription = h.client.subscribe('t');
  const remove = subscription.on('publication', vi.fn());
  const socket = await h.arrive();
  grant(socket, { inbox: true });
  batch(socket, 0, 1);
  await h.runtime.advance(1_000);
  socket.end();
  const again = await h.arrive();
  grant(again, { inbox: true, view: 2, offset: 1, recovered: true });
  await h.runtime.advance(1_000);
  expect([acks(socket), acks(again)]).toEqual([['1:1'], ['2:1']]);
  remove();
  batch(again, 1, 2, { view: 2 });
  subscription.on('publication', vi.fn());
  batch(again, 2, 3, { view: 2 });
  await h.runtime.advance(1_000);
  expect(acks(again)).toEqual(['2:1']);
});

it('acknowledges a topic that the gateway subscribed it to where the application hears of it', async () => {
  const { h, socket } = await arrived();
  const result = { topic: 'user:a', view: 1, mode: 'stream', epoch: 'e', offset: 0, inbox: true } as const;
  socket.push({ kind: 'subscribed', results: [result, { ...result, topic: 'user:b', view: 2 }] });
  const remove = h.client.on('publication', vi.fn());
  batch(socket, 0, 1);
  remove();
  batch(socket, 0, 1, { view: 2 });
  await h.runtime.advance(1_000);
  expect(acks(socket)).toEqual(['1:1']);
});

it('says of a pattern that nothing was lost when its catch-up ends', async () => {
  const h = harness();
  const told = record(h.client.subscribe('p:*', { cursor: 'kept' }));
  const socket = await h.arrive();
  expect(socket.command('subscribe').subscriptions).toMatchObject([{ cursor: 'kept' }]);
  grant(socket, { topic: 'p:*', epoch: '', recovered: true });
  batch(socket, 6, 7, { topic: 'p:a' });
  expect(told).toEqual(['live', 7]);
  socket.push({ kind: 'caughtUp', view: 1, topic: '', epoch: '', offset: 0, recovered: true, cursor: 'new' });
  expect(told).toEqual(['live', 7, ['recovered', 'p:*']]);
});

it('shows a state topic as a map, which changes by batches and whole snapshots', async () => {
  const h = harness();
  const subscription = h.client.subscribe<number>('t');
  const maps: unknown[] = [];
  subscription.on('map', (entries) => maps.push([...entries].map(([key, { data }]) => [key, data])));
  const socket = await h.arrive();
  grant(socket, { mode: 'state', offset: 2 });
  const page = { kind: 'snapshot', view: 1, topic: 't', epoch: 'e', offset: 2 } as const;
  socket.push({ ...page, first: true, last: false, publications: [publication(1, 1, { key: 'a' })] });
  expect(subscription.current().size).toBe(0);
  socket.end();
  const again = await h.arrive();
  // The snapshot was not complete: its position does not count.
  expect(again.command('subscribe').subscriptions[0]?.since).toBeUndefined();
  grant(again, { mode: 'state', offset: 2 });
  again.push({ ...page, first: true, last: true, publications: [publication(1, 1, { key: 'a' })] });
  const kept = subscription.current();
  const change = [publication(3, 3, { key: 'b' }), publication(4, null, { key: 'a', removed: true })];
  again.push({ kind: 'batch', view: 1, after: 2, upto: 4, publications: change });
  expect(maps).toEqual([[['a', 1]], [['b', 3]]]);
  expect([...kept.keys()]).toEqual(['a']);
  again.end();
  const third = await h.arrive();
  expect(third.command('subscribe').subscriptions).toMatchObject([{ since: { epoch: 'e', offset: 4 } }]);
  grant(third, { mode: 'state', offset: 4, recovered: true });
  expect([...subscription.current().keys()]).toEqual(['b']);
});

it('shares equal subscriptions, and ends them with the last holder', async () => {
  const h = harness();
  const [first, second] = [vi.fn(), vi.fn()];
  const one = h.client.subscribe('t', {}, first);
  const other = h.client.subscribe('t', { last: 5 }, second);
  const socket = await h.arrive();
  expect(socket.command('subscribe').subscriptions).toHaveLength(1);
  grant(socket);
  batch(socket, 0, 1);
  one.unsubscribe();
  one.unsubscribe();
  await settled();
  expect(one.state).toBe('closed');
  batch(socket, 1, 2);
  expect([first.mock.calls.length, second.mock.calls.length]).toEqual([1, 2]);
  expect(socket.count('unsubscribe')).toBe(0);
  other.unsubscribe();
  await settled();
  expect(socket.command('unsubscribe').views).toEqual([1]);
  batch(socket, 2, 3);
  expect(second).toHaveBeenCalledTimes(2);
});

it('ends a subscription that was left before it was granted', async () => {
  const h = harness();
  const subscription = h.client.subscribe('t');
  const socket = await h.arrive();
  subscription.unsubscribe();
  await settled();
  expect(socket.count('unsubscribe')).toBe(0);
  grant(socket);
  await settled();
  expect(socket.command('unsubscribe').views).toEqual([1]);
});

it('ends a view again when the gateway limited the rate', async () => {
  const { h, subscription, socket } = await subscribed();
  subscription.unsubscribe();
  await settled();
  const error = { code: 'rate_limited', number: 140, message: 'slow', retry: true, retryAfterMs: 300 };
  socket.reply('unsubscribe', { kind: 'error', ...error });
  await h.runtime.advance(300);
  expect(socket.count('unsubscribe')).toBe(2);
});

it('tells of a refusal, and asks again when the gateway says so, or the connection is another', async () => {
  const h = harness();
  const subscription = h.client.subscribe('t');
  const socket = await h.arrive();
  refuse(socket, 'too_many_views', 3_000);
  expect([subscription.state, subscription.error?.code, ...h.errors]).toEqual([
    'refused',
    'too_many_views',
    'too_many_views',
  ]);
  await h.runtime.advance(3_000);
  refuse(socket, 'forbidden');
  await h.runtime.advance(60_000);
  expect(socket.count('subscribe')).toBe(2);
  socket.end();
  const again = await h.arrive();
  expect(again.count('subscribe')).toBe(1);
});

it.each(['rate_limited', 'already_subscribed'])('asks again after %s without telling', async (code) => {
  const h = harness();
  const subscription = h.client.subscribe('t');
  const socket = await h.arrive();
  refuse(socket, code);
  expect([subscription.state, ...h.errors]).toEqual(['pending']);
  await h.runtime.advance(1_000);
  expect(socket.count('subscribe')).toBe(2);
});

it('sends several commands where one would be larger than the gateway takes, and none that is too large', async () => {
  const h = harness();
  const long = 'x'.repeat(900);
  for (let n = 0; n < 100; n++) h.client.subscribe(`${long}${n}`);
  const socket = await h.arrive();
  const sizes = socket.frames.map((frame) => (frame.kind === 'subscribe' ? frame.subscriptions.length : 0));
  expect(sizes.reduce((sum, size) => sum + size)).toBe(100);
  expect(sizes.filter((size) => size > 0).length).toBeGreaterThan(1);
  const large = h.client.subscribe('y'.repeat(70_000));
  await settled();
  expect([large.state, h.errors]).toEqual(['refused', ['frame_too_large']]);
  expect(socket.count('subscribe')).toBe(sizes.filter((size) => size > 0).length);
});

it('tells the client what comes in topics that the gateway subscribed it to', async () => {
  const h = harness();
  const got: unknown[] = [];
  h.client.on('publication', ({ topic, data }) => got.push([topic, data]));
  const socket = await h.arrive();
  const result = { topic: '$all', view: 4, mode: 'stream', epoch: 'e', offset: 2 } as const;
  socket.push({ kind: 'subscribed', results: [result] });
  batch(socket, 2, 3, { view: 4 });
  socket.end();
  const again = await h.arrive();
  expect(again.command('subscribe').subscriptions).toMatchObject([
    { topic: '$all', since: { epoch: 'e', offset: 3 } },
  ]);
  expect(got).toEqual([['$all', 3]]);
});

it('asks for what the gateway subscribed it to in an attempt that was lost before it was accepted', async () => {
  const h = harness();
  h.client.on('publication', () => undefined);
  void h.client.connect();
  await settled();
  const result = { topic: '$all', view: 4, mode: 'stream', epoch: 'e', offset: 2 } as const;
  const socket = h.sockets.at(-1);
  socket?.onopen?.();
  socket?.push(greeting);
  socket?.push({ kind: 'subscribed', results: [result] });
  socket?.end();
  const again = await h.arrive();
  expect(again.command('subscribe').subscriptions).toMatchObject([
    { topic: '$all', since: { epoch: 'e', offset: 2 } },
  ]);
});

it('publishes JSON as it is at the call, and waits for the connection', async () => {
  const h = harness();
  const data = { list: [1] };
  const published = h.client.publish('t', 'set', data, { key: 'k', timestampMs: 1_000, messageId: 'm' });
  data.list.push(2);
  const socket = await h.arrive();
  const { payload, ...fields } = socket.command('publish');
  expect(fields).toMatchObject({ topic: 't', type: 'set', key: 'k', timestampMs: 1_000, messageId: 'm' });
  expect(new TextDecoder().decode(payload.bytes)).toBe('{"list":[1]}');
  socket.reply('publish', { kind: 'published', epoch: 'e', offset: 4, duplicate: false });
  expect(await published).toEqual({ epoch: 'e', offset: 4, duplicate: false });
  const lost = h.client.publish('t', 'set', 1);
  socket.end();
  await expect(lost).rejects.toMatchObject({ code: 'disconnected', number: 1001, retry: true });
  await expect(h.client.publish('t', 'set', new Uint8Array(1))).rejects.toMatchObject({
    code: 'unsupported_value',
  });
  h.client.close();
  await expect(h.client.publish('t', 'set', 1)).rejects.toMatchObject({ code: 'closed', number: 1002 });
});

it('notices a connection that is silent, and not one on which anything comes', async () => {
  const { h, socket } = await subscribed();
  await h.runtime.advance(5_000);
  batch(socket, 0, 1);
  await h.runtime.advance(5_000);
  expect(h.client.state).toBe('connected');
  await h.runtime.advance(40_000);
  expect(h.client.state).toBe('reconnecting');
});

it('asks at once whether the connection is alive when the page is seen again', async () => {
  const { h, socket } = await arrived();
  socket.reply('ping', { kind: 'pong', timeMs: 1 });
  expect(socket.count('ping')).toBe(1);
  h.runtime.notice();
  expect(socket.count('ping')).toBe(2);
  h.client.close();
  expect(h.runtime.watchers).toBe(0);
});

it('takes a listener instead of options, and goes on after one that throws, and reports it', async () => {
  const h = harness();
  const got: unknown[] = [];
  const subscription = h.client.subscribe('t', () => {
    throw new Error('x');
  });
  subscription.on('publication', ({ data }) => got.push(data));
  const socket = await h.arrive();
  grant(socket);
  batch(socket, 0, 2);
  expect([got, h.errors]).toEqual([
    [1, 2],
    ['listener_failed', 'listener_failed'],
  ]);
});

it('tells whether the gateway reaches what stores its topics', async () => {
  const { client, arrive } = harness();
  const told: boolean[] = [];
  client.on('degraded', (degraded) => told.push(degraded));
  const socket = await arrive();
  socket.push({ kind: 'gatewayState', degraded: true });
  socket.push({ kind: 'gatewayState', degraded: false });
  expect(told).toEqual([false, true, false]);
});

it('tells what the gateway says besides: messages to this session, errors, and own topics without a place', async () => {
  const h = harness();
  const messages: unknown[] = [];
  h.client.on('message', ({ event, data }) => messages.push([event, data]));
  const socket = await h.arrive();
  const error = { code: 'too_many_views', number: 112, message: 'no', retry: true } as const;
  socket.push({ kind: 'subscribed', results: [{ topic: 'user:alice', error }] });
  socket.push({ kind: 'error', ...error, code: 'backpressure' });
  socket.push({
    kind: 'message',
    type: 'note',
    payload: { format: 'json', bytes: new TextEncoder().encode('1') },
  });
  expect([h.errors, messages]).toEqual([['too_many_views', 'backpressure'], [['note', 1]]]);
});

it('tells its states, and why it closed', async () => {
  const h = harness();
  const states: unknown[] = [];
  h.client.on('state', ({ state, error }) => states.push([state, error?.code]));
  const socket = await h.arrive();
  socket.end(4500);
  expect(states).toEqual([
    ['connecting', undefined],
    ['connected', undefined],
    ['closed', 'connection_ended'],
  ]);
  expect([h.errors, h.runtime.timers]).toEqual([['connection_ended'], 0]);
});

it('is told what the gateway has ended, and does not ask for it again by itself', async () => {
  const { h, subscription, told, socket } = await subscribed();
  socket.push({ kind: 'unsubscribed', views: [1, 9], reason: 'forbidden' });
  batch(socket, 0, 1);
  await h.runtime.advance(9_000);
  expect([told, subscription.error?.code, h.errors]).toEqual([
    ['live', 'refused'],
    'forbidden',
    ['forbidden'],
  ]);
  expect(socket.count('subscribe')).toBe(1);
});

it('tells that it lags, and that it has caught up', async () => {
  const { told, socket } = await subscribed();
  socket.push({ kind: 'lagging', views: [9, 1] });
  batch(socket, 0, 1);
  socket.push({ kind: 'caughtUp', view: 1, topic: 't', epoch: 'e', offset: 1, recovered: true });
  expect(told).toEqual(['live', 'lagging', 1, 'live']);
});

it('gives the connection up where a subscribe is not answered', async () => {
  const h = harness();
  h.client.subscribe('t');
  const socket = await h.arrive();
  const reasons: unknown[] = [];
  h.client.on('state', ({ state, reason }) => reasons.push([state, reason]));
  await h.runtime.advance(5_000);
  socket.push({ kind: 'gatewayState', degraded: false });
  await h.runtime.advance(5_000);
  expect(reasons).toEqual([['reconnecting', 'timeout']]);
});

it('comes back when a gateway that goes away said', async () => {
  const { h, socket } = await arrived();
  socket.push({ kind: 'goingAway', reconnectDelayMs: 7_000, reason: 'going_away' });
  socket.end(4000);
  await h.runtime.advance(6_999);
  expect(h.sockets).toHaveLength(1);
  await h.runtime.advance(1);
  expect(h.sockets).toHaveLength(2);
});

it('asks again no earlier than a refusal says, where that is later than its own delay', async () => {
  const h = harness();
  h.client.subscribe('t');
  const socket = await h.arrive();
  refuse(socket, 'too_many_topics', 5_000);
  await h.runtime.advance(4_999);
  expect(socket.count('subscribe')).toBe(1);
  await h.runtime.advance(1);
  expect(socket.count('subscribe')).toBe(2);
});

it('knows no view and sends no command of a connection that has ended', async () => {
  const h = harness();
  const told = record(h.client.subscribe('t'));
  const other = h.client.subscribe('u');
  const first = await h.arrive();
  const granted = { mode: 'stream', epoch: 'e', offset: 0 } as const;
  const results = ['t', 'u'].map((topic, index) => ({ topic, view: index + 1, ...granted }));
  first.reply('subscribe', { kind: 'subscribed', results });
  other.unsubscribe();
  await settled();
  const error = { kind: 'error', code: 'rate_limited', number: 140, message: 'slow' } as const;
  first.reply('unsubscribe', { ...error, retry: true, retryAfterMs: 3_000 });
  first.end();
  await h.runtime.advance(1_000);
  const second = h.sockets.at(-1) as FakeSocket;
  second.greet();
  // By the same number the gateway may mean another view now.
  batch(second, 0, 1);
  await h.runtime.advance(3_000);
  expect([told, second.count('unsubscribe')]).toEqual([['live', 'pending'], 0]);
});

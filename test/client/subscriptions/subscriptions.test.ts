import { beforeAll, describe, expect, it } from 'vitest';
import type { Gap, ReceivedPublication, SubscribeOptions, Subscription } from '../../../src/client/index.ts';
import { inflating } from '../../../src/client/inflow.ts';
import { concatBytes } from '../../../src/protocol/bytes.ts';
import { deflateBody, type SharedDictionary } from '../../../src/protocol/compression.ts';
import { crc32 } from '../../../src/protocol/crc32.ts';
import type { Granted } from '../../../src/protocol/frames.ts';
import type { Reply } from '../../../src/protocol/server-frames.ts';
import { protobufCodec } from '../../support/codecs.ts';
import { type FakeSocket, greeting, type Harness, harness, publication, settled } from '../support/fakes.ts';

// Most tests look at what a message does in its own turn.
beforeAll(async () => void (await inflating.load()));

const granted = (over: Partial<Granted> = {}): Granted => ({
  topic: 'a',
  view: 7,
  mode: 'stream',
  epoch: 'e1',
  offset: 0,
  ...over,
});

function grant(socket: FakeSocket, ...results: Partial<Granted>[]): void {
  socket.reply('subscribe', { kind: 'subscribed', results: results.map(granted) });
}

function batch(after: number, upto: number, over: Partial<Extract<Reply, { kind: 'batch' }>> = {}): Reply {
  const publications = Array.from({ length: upto - after }, (_, index) => publication(after + index + 1));
  return { kind: 'batch', view: 7, after, upto, publications, ...over };
}

function runOf(after: number, upto: number): Uint8Array {
  const offsets = Array.from({ length: upto - after }, (_, index) => after + index + 1);
  return concatBytes(offsets.map((offset) => protobufCodec.encodePublication('a', publication(offset))));
}

function compressed(after: number, upto: number, dictionary?: SharedDictionary) {
  const body = deflateBody(runOf(after, upto), dictionary);
  return { kind: 'batch', view: 7, after, upto, publications: [], compressed: body } as const;
}

function announced({ dictionary, data }: SharedDictionary, view = 7): Reply {
  return { kind: 'dictionary', view, dictionary, data, crc32: crc32(data) };
}

function reset(over: Partial<Extract<Reply, { kind: 'reset' }>> = {}): Reply {
  return { kind: 'reset', view: 7, topic: 'a', epoch: 'e1', offset: 0, mode: 'stream', ...over };
}

function snapshot(over: Partial<Extract<Reply, { kind: 'snapshot' }>> = {}): Reply {
  const whole = { publications: [], first: true, last: true };
  return { kind: 'snapshot', view: 7, topic: 'a', epoch: 'e1', offset: 0, ...whole, ...over };
}

/** What a subscription tells, in order, in short. */
function record(subscription: Subscription): unknown[] {
  const told: unknown[] = [];
  subscription.on('publication', ({ offset }) => told.push(offset));
  subscription.on('gap', ({ missing }) => told.push(missing ? ['gap', missing.after, missing.upto] : 'gap'));
  subscription.on('recovered', () => told.push('recovered'));
  subscription.on('reset', ({ epoch }) => told.push(['reset', epoch]));
  subscription.on('snapshot', (entries) => told.push(['snapshot', ...entries.keys()]));
  subscription.on('lagging', () => told.push('lagging'));
  subscription.on('caughtUp', () => told.push('caughtUp'));
  subscription.on('error', ({ code }) => told.push(['error', code]));
  return told;
}

async function live(over: Partial<Granted> = {}) {
  const h = harness();
  const socket = await h.arrive();
  const subscription = h.client.subscribe('a');
  const told = record(subscription);
  await settled();
  grant(socket, over);
  return { ...h, h, socket, subscription, told, client: h.client, runtime: h.runtime };
}

describe('subscribing', () => {
  it('asks for everything of one turn in one command', async () => {
    const h = harness();
    const socket = await h.arrive();
    h.client.subscribe('a', { filter: { op: 'eq', tag: 'level', value: 'critical' } });
    h.client.subscribe('b', { intervalMs: 100, last: 5 });
    await settled();
    expect(socket.count('subscribe')).toBe(1);
    expect(socket.command('subscribe').subscriptions).toMatchObject([
      { topic: 'a', filter: { op: 'eq', tag: 'level', value: 'critical' } },
      { topic: 'b', intervalMs: 100, last: 5 },
    ]);
  });

  it('hands publications over in order, each once', async () => {
    const { socket, told } = await live();
    socket.push(batch(0, 2));
    socket.push(batch(1, 4));
    socket.push(batch(0, 3));
    expect(told).toEqual([1, 2, 3, 4]);
  });

  it('takes a batch that follows its reply in the same turn', async () => {
    const h = harness();
    const socket = await h.arrive();
    const told = record(h.client.subscribe('a'));
    await settled();
    grant(socket, { offset: 4 });
    socket.push(batch(4, 5));
    expect(told).toEqual([5]);
  });

  it('parses data only when it is read, and keeps the text as it was', async () => {
    const { socket, client } = await live();
    const received: ReceivedPublication<{ n: number }>[] = [];
    client.subscribe<{ n: number }>('a', {}, (one) => received.push(one));
    const bytes = new TextEncoder().encode('{"n":1.0}');
    socket.push(batch(0, 1, { publications: [{ ...publication(1), payload: { format: 'json', bytes } }] }));
    expect(received[0]?.data.n).toBe(1);
    expect(received[0]?.text).toBe('{"n":1.0}');
  });

  it('expands a compressed batch', async () => {
    const { socket, told } = await live();
    socket.push(compressed(0, 2));
    expect(told).toEqual([1, 2]);
  });

  it('expands a batch with the newest dictionary of its view', async () => {
    const { socket, told } = await live();
    const [first, second] = [1, 2].map((dictionary) => ({ dictionary, data: runOf(0, dictionary) }));
    socket.push(announced(first!));
    socket.push(compressed(0, 1, first));
    // Another view's, under the same number.
    socket.push(announced({ dictionary: 1, data: new Uint8Array(99) }, 8));
    socket.push(compressed(1, 2, first));
    socket.push(announced(second!));
    socket.push(compressed(2, 3, second));
    socket.push(compressed(3, 4));
    expect(told).toEqual([1, 2, 3, 4]);
    expect(socket.count('subscribe')).toBe(1);
  });

  it('tells a refusal, and asks again when that may help', async () => {
    const h = harness();
    const socket = await h.arrive();
    const subscription = h.client.subscribe('a');
    const told = record(subscription);
    await settled();
    const error = { code: 'too_many_views', number: 142, message: 'no', retry: true, retryAfterMs: 3_000 };
    socket.reply('subscribe', { kind: 'subscribed', results: [{ topic: 'a', error }] });
    expect(told).toEqual([['error', 'too_many_views']]);
    expect(subscription.state).toBe('refused');
    await h.runtime.advance(3_000);
    expect(socket.count('subscribe')).toBe(2);
    grant(socket, {});
    expect(subscription.state).toBe('live');
  });

  it('reports a refusal to the client when the subscription has no listener', async () => {
    const h = harness();
    const codes: string[] = [];
    h.client.onError(({ code }) => codes.push(code));
    const socket = await h.arrive();
    h.client.subscribe('a');
    await settled();
    const error = { code: 'forbidden', number: 112, message: 'no', retry: false };
    socket.reply('subscribe', { kind: 'subscribed', results: [{ topic: 'a', error }] });
    expect(codes).toEqual(['forbidden']);
    await h.runtime.advance(9_000);
    expect(socket.count('subscribe')).toBe(1);
  });
});

describe('sharing', () => {
  it('uses one wire subscription for equal ones, and ends it with the last', async () => {
    const { client, socket, subscription, told } = await live();
    const second = client.subscribe('a');
    const also = record(second);
    await settled();
    socket.push(batch(0, 1));
    expect([told, also]).toEqual([[1], [1]]);
    subscription.unsubscribe();
    await settled();
    expect(socket.count('unsubscribe')).toBe(0);
    second.unsubscribe();
    await settled();
    expect(socket.command('unsubscribe').views).toEqual([7]);
    expect(socket.count('subscribe')).toBe(1);
  });

  it('sends nothing when a member leaves and another joins in one turn', async () => {
    const { client, socket, subscription } = await live();
    subscription.unsubscribe();
    client.subscribe('a');
    await settled();
    expect(socket.count('unsubscribe')).toBe(0);
    expect(socket.count('subscribe')).toBe(1);
  });

  it('goes on from where a member was that leaves as another joins', async () => {
    const { client, h, socket, subscription } = await live({ offset: 4 });
    socket.push(batch(4, 6));
    subscription.unsubscribe();
    const next = client.subscribe('a');
    await settled();
    expect(next.position).toEqual({ epoch: 'e1', offset: 6 });
    socket.end();
    await h.runtime.advance(1_000);
    h.socket.greet();
    expect(h.socket.command('subscribe').subscriptions).toMatchObject([
      { since: { epoch: 'e1', offset: 6 } },
    ]);
  });

  it.each([{}, { last: 5 }, { presence: true }])(
    'shows the map of a state topic to one that joins as another leaves, with %j',
    async (options) => {
      const { client, socket, subscription } = await live({ mode: 'state', offset: 3 });
      socket.push(snapshot({ offset: 3, publications: [publication(2, 'x', { key: 'cpu' })] }));
      subscription.unsubscribe();
      const next = client.subscribe('a', options);
      const told = record(next);
      await settled();
      expect(told).toEqual([['snapshot', 'cpu']]);
      expect(next.current().get('cpu')?.data).toBe('x');
    },
  );

  it('goes on by the positions of a pattern for one that joins as another leaves', async () => {
    const h = harness();
    const socket = await h.arrive();
    const first = h.client.subscribe('j:*');
    await settled();
    const topics = [{ topic: 'j:1', epoch: 'e3', offset: 8, mode: 'stream' as const }];
    grant(socket, { topic: 'j:*', epoch: '', topics });
    first.unsubscribe();
    const next = record(h.client.subscribe('j:*', { last: 2 }));
    await settled();
    expect(socket.command('subscribe').subscriptions).toMatchObject([
      { positions: [{ topic: 'j:1', epoch: 'e3', offset: 6 }] },
    ]);
    grant(socket, { topic: 'j:*', epoch: '', topics: [{ ...topics[0]!, offset: 6, recovered: true }] });
    socket.push(batch(6, 8, { topic: 'j:1', epoch: 'e3' }));
    expect(next).toEqual([7, 8]);
  });

  it('takes filters for equal whatever their order', async () => {
    const h = harness();
    const socket = await h.arrive();
    const a = { op: 'in', tag: 'level', values: ['x', 'y'] } as const;
    const b = { op: 'exists', tag: 'host' } as const;
    h.client.subscribe('a', { filter: { op: 'and', filters: [a, b] } });
    h.client.subscribe('a', { filter: { op: 'and', filters: [b, { ...a, values: ['y', 'x'] }] } });
    await settled();
    expect(socket.command('subscribe').subscriptions).toHaveLength(1);
  });

  it('goes back for a latecomer that wants the last ones, without telling the others twice', async () => {
    const { client, socket, told } = await live({ offset: 10 });
    socket.push(batch(10, 12));
    const late = record(client.subscribe('a', { last: 3 }));
    await settled();
    expect(socket.command('unsubscribe').views).toEqual([7]);
    expect(socket.command('subscribe').subscriptions).toMatchObject([{ since: { epoch: 'e1', offset: 9 } }]);
    grant(socket, { offset: 9, recovered: true });
    socket.push(batch(9, 13));
    expect(told.filter((one) => typeof one === 'number')).toEqual([11, 12, 13]);
    expect(late).toEqual([10, 11, 12, 13]);
  });

  it('gives each of those that begin together the last ones that it wants, and no more', async () => {
    const h = harness();
    const socket = await h.arrive();
    const [none, three, one] = [{}, { last: 3 }, { last: 1 }].map((options) =>
      record(h.client.subscribe('a', options)),
    );
    await settled();
    expect(socket.command('subscribe').subscriptions).toEqual([{ topic: 'a' }]);
    grant(socket, { offset: 12 });
    await settled();
    expect(socket.command('unsubscribe').views).toEqual([7]);
    expect(socket.command('subscribe').subscriptions).toEqual([
      { topic: 'a', since: { epoch: 'e1', offset: 9 } },
    ]);
    grant(socket, { offset: 9, recovered: true });
    socket.push(batch(9, 13));
    expect(none?.filter((each) => typeof each === 'number')).toEqual([13]);
    expect(three).toEqual([10, 11, 12, 13]);
    expect(one).toEqual([12, 13]);
  });

  it('gives each of those that begin a pattern together the last ones that it wants', async () => {
    const h = harness();
    const socket = await h.arrive();
    const [none, two] = [{}, { last: 2 }].map((options) => record(h.client.subscribe('j:*', options)));
    await settled();
    const [stream, state] = [
      { topic: 'j:1', epoch: 'e1', offset: 8, mode: 'stream' as const },
      { topic: 'j:2', epoch: 'e2', offset: 4, mode: 'state' as const },
    ];
    grant(socket, { topic: 'j:*', epoch: '', topics: [stream, state] });
    socket.push(
      snapshot({ topic: 'j:2', epoch: 'e2', offset: 4, publications: [publication(3, 'x', { key: 'k' })] }),
    );
    await settled();
    const { subscriptions } = socket.command('subscribe');
    expect(subscriptions[0]?.positions).toContainEqual({ topic: 'j:1', epoch: 'e1', offset: 6 });
    grant(socket, { topic: 'j:*', epoch: '', topics: [{ ...stream, offset: 6, recovered: true }, state] });
    socket.push(batch(6, 9, { topic: 'j:1', epoch: 'e1' }));
    expect(none?.filter((each) => typeof each === 'number')).toEqual([9]);
    expect(two?.filter((each) => typeof each === 'number')).toEqual([7, 8, 9]);
  });

  it('asks once where those that begin a state topic together want other numbers', async () => {
    const h = harness();
    const socket = await h.arrive();
    const both = [{}, { last: 3 }].map((options) => record(h.client.subscribe('a', options)));
    await settled();
    grant(socket, { mode: 'state', offset: 3 });
    socket.push(snapshot({ offset: 3, publications: [publication(2, 'x', { key: 'cpu' })] }));
    await settled();
    expect(socket.count('subscribe')).toBe(1);
    expect(both).toEqual([[['snapshot', 'cpu']], [['snapshot', 'cpu']]]);
  });

  it('calls nothing lost where the topic has fewer than a latecomer wants', async () => {
    const { client, socket, told } = await live({ offset: 10 });
    const late = record(client.subscribe('a', { last: 9 }));
    await settled();
    grant(socket, { offset: 6, recovered: false, missing: { after: 1, upto: 6 } });
    socket.push(batch(6, 11));
    expect(late).toEqual([7, 8, 9, 10, 11]);
    expect(told).toEqual([11]);
  });

  it('goes back for a latecomer that knew the topic as empty', async () => {
    const { client, socket, told } = await live({ offset: 10 });
    socket.push(batch(10, 11));
    const late = record(client.subscribe('a', { since: { epoch: '', offset: 0 } }));
    await settled();
    expect(socket.command('subscribe').subscriptions[0]?.since).toEqual({ epoch: '', offset: 0 });
    grant(socket, { offset: 0, recovered: true });
    socket.push(batch(0, 11));
    expect(late.filter((one) => typeof one === 'number')).toEqual(
      Array.from({ length: 11 }, (_, index) => index + 1),
    );
    expect(told.filter((one) => typeof one === 'number')).toEqual([11]);
  });

  it('shows a latecomer of a state topic the map at once', async () => {
    const { client, socket } = await live({ mode: 'state', offset: 3 });
    const publications = [publication(2, 'x', { key: 'cpu' }), publication(3, 'y', { key: 'disk' })];
    socket.push({
      kind: 'snapshot',
      view: 7,
      topic: 'a',
      epoch: 'e1',
      offset: 3,
      publications,
      first: true,
      last: true,
    });
    const late = client.subscribe('a', { last: 5 });
    const told = record(late);
    await settled();
    expect(told).toEqual([['snapshot', 'cpu', 'disk']]);
    expect(late.current().get('cpu')?.data).toBe('x');
    expect(socket.count('subscribe')).toBe(1);
  });
});

describe('after a reconnect', () => {
  it('asks for all in one command, each from its own position', async () => {
    const h = harness();
    const socket = await h.arrive();
    h.client.subscribe('a', { last: 5 });
    h.client.subscribe('b');
    h.client.subscribe('j:*');
    await settled();
    const topics = [{ topic: 'j:1', epoch: 'e3', offset: 8, mode: 'stream' as const }];
    grant(socket, {}, { topic: 'b', view: 8, epoch: 'e2' }, { topic: 'j:*', view: 9, epoch: '', topics });
    socket.push(batch(0, 4));
    socket.push(batch(0, 2, { view: 9, topic: 'j:2', epoch: 'e4' }));
    socket.push(batch(8, 9, { view: 9, topic: 'j:1', epoch: 'e3' }));
    socket.end();
    await h.runtime.advance(1_000);
    h.socket.greet();
    expect(h.socket.count('subscribe')).toBe(1);
    expect(h.socket.command('subscribe').subscriptions).toEqual([
      { topic: 'a', since: { epoch: 'e1', offset: 4 } },
      { topic: 'b', since: { epoch: 'e2', offset: 0 } },
      {
        topic: 'j:*',
        positions: [
          { topic: 'j:1', epoch: 'e3', offset: 9 },
          { topic: 'j:2', epoch: 'e4', offset: 2 },
        ],
      },
    ]);
  });

  it('goes on without a seam when everything is recovered', async () => {
    const { socket, told, client, runtime, sockets } = await live();
    socket.push(batch(0, 2));
    socket.end();
    await runtime.advance(1_000);
    const second = sockets.at(-1) as FakeSocket;
    second.greet();
    grant(second, { offset: 2, recovered: true });
    second.push(batch(2, 5));
    expect(told).toEqual([1, 2, 'recovered', 3, 4, 5]);
    expect(client.getStats().gaps).toBe(0);
  });

  it('names what is lost, and goes on after it', async () => {
    const { socket, told, runtime, sockets } = await live();
    socket.push(batch(0, 2));
    socket.end();
    await runtime.advance(1_000);
    const second = sockets.at(-1) as FakeSocket;
    second.greet();
    grant(second, { offset: 6, recovered: false, missing: { after: 2, upto: 6 } });
    second.push(batch(6, 7));
    expect(told).toEqual([1, 2, ['gap', 2, 6], 7]);
  });

  it('reports a new epoch', async () => {
    const { socket, told, runtime, sockets, subscription } = await live();
    socket.push(batch(0, 2));
    socket.end();
    await runtime.advance(1_000);
    const second = sockets.at(-1) as FakeSocket;
    second.greet();
    grant(second, { epoch: 'e2', offset: 0, recovered: false });
    second.push(batch(0, 1));
    expect(told).toEqual([1, 2, ['reset', 'e2'], 1]);
    expect(subscription.position).toEqual({ epoch: 'e2', offset: 1 });
  });

  it('asks for the snapshot again when the first one was cut off', async () => {
    const { socket, runtime, sockets } = await live({ mode: 'state', offset: 9 });
    const publications = [publication(2, 'x', { key: 'cpu' })];
    socket.push({
      kind: 'snapshot',
      view: 7,
      topic: 'a',
      epoch: 'e1',
      offset: 9,
      publications,
      first: true,
      last: false,
    });
    socket.end();
    await runtime.advance(1_000);
    const second = sockets.at(-1) as FakeSocket;
    second.greet();
    expect(second.command('subscribe').subscriptions).toEqual([{ topic: 'a' }]);
  });

  it('tells a pattern without any topic yet apart from a new one', async () => {
    const h = harness();
    const socket = await h.arrive();
    h.client.subscribe('j:*');
    await settled();
    grant(socket, { topic: 'j:*', epoch: '', topics: [] });
    socket.end();
    await h.runtime.advance(1_000);
    h.socket.greet();
    expect(h.socket.command('subscribe').subscriptions).toEqual([
      { topic: 'j:*', positions: [{ topic: 'j:', epoch: '', offset: 0 }] },
    ]);
  });
});

describe('a gap', () => {
  it('is recovered by subscribing again from the position, once at a time', async () => {
    const { socket, told } = await live();
    socket.push(batch(0, 2));
    socket.push(batch(4, 5));
    socket.push(batch(5, 6));
    expect(socket.count('unsubscribe')).toBe(1);
    expect(socket.count('subscribe')).toBe(2);
    expect(socket.command('subscribe').subscriptions).toMatchObject([{ since: { epoch: 'e1', offset: 2 } }]);
    grant(socket, { offset: 2, recovered: true });
    socket.push(batch(2, 6));
    expect(told).toEqual([1, 2, 'recovered', 3, 4, 5, 6]);
  });

  it('does not turn into a storm when batches never fit', async () => {
    const { socket, runtime } = await live();
    for (let round = 0; round < 5; round++) {
      socket.push(batch(50, 51));
      if (round === 0) grant(socket, { offset: 0, recovered: true });
    }
    expect(socket.count('subscribe')).toBe(2);
    await runtime.advance(1_000);
    expect(socket.count('subscribe')).toBe(3);
  });

  it('is also a compressed batch that is damaged', async () => {
    const { socket, told } = await live();
    socket.push({ ...compressed(0, 1), compressed: { ...compressed(0, 1).compressed, crc32: 1 } });
    expect(socket.count('subscribe')).toBe(2);
    expect(told).toEqual([]);
  });

  it('is also one whose dictionary never came, was another, or was for an earlier subscription', async () => {
    const { socket, told, runtime } = await live();
    const dictionary = { dictionary: 1, data: runOf(0, 3) };
    const recover = async (since: number) => {
      await runtime.advance(1_000);
      expect(socket.command('subscribe').subscriptions).toMatchObject([{ since: { offset: since } }]);
      grant(socket, { offset: since, recovered: true });
    };
    socket.push(compressed(0, 1, dictionary));
    await recover(0);
    socket.push(announced({ dictionary: 1, data: new Uint8Array(99) }));
    socket.push(compressed(0, 1, dictionary));
    await recover(0);
    socket.push(announced(dictionary));
    socket.push(compressed(0, 1, dictionary));
    socket.push(batch(5, 6));
    await recover(1);
    socket.push(compressed(1, 2, dictionary));
    await recover(1);
    socket.push(announced(dictionary));
    socket.push(compressed(1, 2, dictionary));
    expect(told.filter((each) => typeof each === 'number')).toEqual([1, 2]);
  });
});

describe('pushes', () => {
  it('reports lagging, what was lost meanwhile, and the end of it', async () => {
    const { socket, told, subscription } = await live();
    socket.push(batch(0, 1));
    socket.push({ kind: 'lagging', views: [7] });
    expect(subscription.state).toBe('lagging');
    const caughtUp = { kind: 'caughtUp', view: 7, topic: 'a', epoch: 'e1' } as const;
    socket.push({ ...caughtUp, offset: 5, recovered: false, missing: { after: 1, upto: 5 } });
    socket.push(batch(5, 6));
    socket.push({ ...caughtUp, offset: 6, recovered: true });
    expect(told).toEqual([1, 'lagging', ['gap', 1, 5], 6, 'caughtUp']);
    expect(subscription.state).toBe('live');
    expect(socket.count('subscribe')).toBe(1);
  });

  it('continues after what was lost, also when the connection ends before the rest of the catch-up', async () => {
    const { socket, told, subscription, runtime, sockets } = await live();
    const gone = { kind: 'caughtUp', view: 7, topic: 'a', epoch: 'e1', recovered: false } as const;
    socket.push(batch(0, 1));
    socket.push({ kind: 'lagging', views: [7] });
    socket.push({ ...gone, offset: 5, missing: { after: 1, upto: 5 } });
    socket.push({ ...gone, offset: 8, missing: { after: 5, upto: 8 } });
    expect(subscription.position).toEqual({ epoch: 'e1', offset: 8 });
    expect(subscription.state).toBe('lagging');
    socket.end();
    await runtime.advance(1_000);
    const second = sockets.at(-1) as FakeSocket;
    second.greet();
    expect(second.command('subscribe').subscriptions).toEqual([
      { topic: 'a', since: { epoch: 'e1', offset: 8 } },
    ]);
    grant(second, { offset: 8, recovered: true });
    second.push(batch(8, 9));
    expect(told).toEqual([1, 'lagging', ['gap', 1, 5], ['gap', 5, 8], 'recovered', 9]);
  });

  it.each([
    [3, [1, 2, 3, ['gap', 3, 5]], 5],
    [5, [1, 2, 3, 4, 5], 5],
    [6, [1, 2, 3, 4, 5, 6], 6],
  ])(
    'names nothing as lost that it has: its position is %i and it is told (1, 5]',
    async (upto, expected, offset) => {
      const { socket, told, subscription } = await live();
      socket.push(batch(0, upto));
      const missing = { after: 1, upto: 5 };
      socket.push({
        kind: 'caughtUp',
        view: 7,
        topic: 'a',
        epoch: 'e1',
        offset: 5,
        recovered: false,
        missing,
      });
      expect(told).toEqual(expected);
      expect(subscription.position).toEqual({ epoch: 'e1', offset });
    },
  );

  it('ignores a reset to the epoch that it has', async () => {
    const { socket, told, subscription } = await live({ offset: 3 });
    socket.push(reset({ offset: 3 }));
    socket.push(batch(3, 5));
    socket.push(reset({ offset: 0 }));
    expect(subscription.position).toEqual({ epoch: 'e1', offset: 5 });
    socket.push(batch(4, 6));
    expect(told).toEqual([4, 5, 6]);
    expect(socket.count('subscribe')).toBe(1);
  });

  it('keeps the map of a state topic through a reset that is no news, also one that a snapshot is on its way of', async () => {
    const { socket, subscription } = await live({ mode: 'state', offset: 2 });
    const cpu = publication(1, 'x', { key: 'cpu' });
    const disk = publication(2, 'y', { key: 'disk' });
    socket.push(snapshot({ offset: 2, publications: [cpu], last: false }));
    socket.push(reset({ offset: 0, mode: 'state' }));
    socket.push(snapshot({ offset: 2, publications: [disk], first: false }));
    socket.push(reset({ offset: 2, mode: 'state' }));
    expect([...subscription.current().keys()]).toEqual(['cpu', 'disk']);
    expect(socket.count('subscribe')).toBe(1);
  });

  it('says nothing of a reset when the topic was empty before', async () => {
    const { socket, told } = await live({ epoch: '', offset: 0 });
    socket.push(reset({ epoch: 'e9' }));
    socket.push(batch(0, 1));
    socket.push(reset({ epoch: 'e10' }));
    expect(told).toEqual([1, ['reset', 'e10']]);
  });

  it('empties the map of a state topic with a new epoch, and fetches what is there already', async () => {
    const { socket, subscription } = await live({ mode: 'state', offset: 1 });
    const publications = [publication(1, 'x', { key: 'cpu' })];
    socket.push({
      kind: 'snapshot',
      view: 7,
      topic: 'a',
      epoch: 'e1',
      offset: 1,
      publications,
      first: true,
      last: true,
    });
    socket.push(reset({ epoch: 'e2', offset: 4, mode: 'state' }));
    expect(subscription.current().size).toBe(0);
    expect(socket.command('subscribe').subscriptions).toEqual([{ topic: 'a' }]);
  });

  it('keeps the map of a state topic current', async () => {
    const { socket, subscription } = await live({ mode: 'state', offset: 0 });
    socket.push({
      kind: 'snapshot',
      view: 7,
      topic: 'a',
      epoch: 'e1',
      offset: 0,
      publications: [],
      first: true,
      last: true,
    });
    socket.push(
      batch(0, 2, { publications: [publication(1, 1, { key: 'a' }), publication(2, 2, { key: 'b' })] }),
    );
    socket.push(batch(2, 3, { publications: [publication(3, null, { key: 'a', removed: true })] }));
    expect([...subscription.current().keys()]).toEqual(['b']);
  });

  it('brings topics that the gateway joined by itself to the client, and recovers them too', async () => {
    const h = harness();
    const heard: number[] = [];
    h.client.on('publication', ({ offset }) => heard.push(offset));
    const socket = await h.arrive();
    socket.push({ kind: 'subscribed', results: [granted({ topic: '$all', view: 3 })] });
    socket.push(batch(0, 1, { view: 3 }));
    socket.end();
    await h.runtime.advance(1_000);
    h.socket.onopen?.();
    const { socket: second } = h;
    second.greet();
    second.push({ kind: 'subscribed', results: [granted({ topic: '$all', view: 3, offset: 4 })] });
    expect(second.command('subscribe').subscriptions).toEqual([
      { topic: '$all', since: { epoch: 'e1', offset: 1 } },
    ]);
    grant(second, { topic: '$all', view: 3, offset: 1, recovered: true });
    second.push(batch(1, 4, { view: 3 }));
    expect(heard).toEqual([1, 2, 3, 4]);
  });

  it('asks for a topic that the gateway joined and that is empty again: it may have lost something meanwhile', async () => {
    const h = harness();
    const socket = await h.arrive();
    const empty = granted({ topic: '$all', view: 3, epoch: '', offset: 0 });
    socket.push({ kind: 'subscribed', results: [empty] });
    const gaps: string[] = [];
    h.client.subscribe('$all').on('gap', ({ topic }) => gaps.push(topic));
    socket.end();
    await h.runtime.advance(1_000);
    h.socket.onopen?.();
    const { socket: second } = h;
    second.push(greeting);
    second.push({ kind: 'subscribed', results: [empty] });
    second.reply('connect', greeting);
    await settled();
    expect(second.command('subscribe').subscriptions).toEqual([
      { topic: '$all', since: { epoch: '', offset: 0 } },
    ]);
    grant(second, { topic: '$all', view: 4, epoch: '', offset: 0, recovered: false });
    expect(gaps).toEqual(['$all']);
  });

  it('asks for what the gateway joined in an attempt that was lost before the client was accepted', async () => {
    const h = harness({ transports: ['websocket'] });
    const heard: number[] = [];
    h.client.subscribe('$all', ({ offset }) => heard.push(offset));
    void h.client.connect();
    await settled();
    const { socket: first } = h;
    first.onopen?.();
    first.push(greeting);
    first.push({ kind: 'subscribed', results: [granted({ topic: '$all', view: 3, offset: 1 })] });
    first.end();
    await h.runtime.advance(1_000);
    const { socket } = h;
    socket.onopen?.();
    socket.push(greeting);
    socket.push({ kind: 'subscribed', results: [granted({ topic: '$all', view: 3, offset: 4 })] });
    socket.reply('connect', greeting);
    await settled();
    expect(socket.command('subscribe').subscriptions).toMatchObject([
      { topic: '$all', since: { offset: 1 } },
    ]);
    grant(socket, { topic: '$all', view: 4, offset: 1, recovered: true });
    socket.push(batch(1, 4, { view: 4 }));
    expect(heard).toEqual([2, 3, 4]);
  });

  it('tells a subscription that the gateway ended', async () => {
    const { socket, told, subscription } = await live();
    socket.push({ kind: 'unsubscribed', views: [7], reason: 'forbidden' });
    expect(told).toEqual([['error', 'forbidden']]);
    expect(subscription.state).toBe('refused');
  });
});

describe('a pattern', () => {
  async function pattern(...topics: NonNullable<Granted['topics']>) {
    const h = await live();
    const all = h.client.subscribe('p:*');
    const told = record(all);
    const maps: string[] = [];
    all.on('map', (entries, topic) => maps.push([topic, ...entries.keys()].join(' ')));
    await settled();
    grant(h.socket, { topic: 'p:*', view: 9, epoch: '', topics });
    return { ...h, all, told, maps };
  }

  const one = (over: Partial<NonNullable<Granted['topics']>[number]> = {}) =>
    ({ topic: 'p:1', epoch: 'e1', offset: 0, mode: 'state', ...over }) as const;
  const born = (over: Partial<Extract<Reply, { kind: 'reset' }>> = {}) =>
    reset({ view: 9, topic: 'p:1', mode: 'state', ...over });
  const put = (offset: number, key: string) =>
    batch(offset - 1, offset, {
      view: 9,
      topic: 'p:1',
      epoch: 'e1',
      publications: [publication(offset, offset, { key })],
    });

  async function comeBack(h: Awaited<ReturnType<typeof pattern>>): Promise<FakeSocket> {
    h.socket.end();
    await h.runtime.advance(1_000);
    const socket = h.sockets.at(-1) as FakeSocket;
    socket.greet();
    return socket;
  }

  it('has a live map of a state topic from its birth', async () => {
    const { socket, all, told, maps } = await pattern();
    socket.push(born());
    socket.push(put(1, 'cpu'));
    socket.push(put(2, 'disk'));
    expect([...all.current('p:1').keys()]).toEqual(['cpu', 'disk']);
    expect(maps).toEqual(['p:1 cpu', 'p:1 cpu disk']);
    expect(told).toEqual([1, 2]);
    expect(socket.count('subscribe')).toBe(2);
  });

  it('has none of a stream, which begins with its first batch', async () => {
    const { socket, all, told, maps } = await pattern();
    socket.push(put(1, 'cpu'));
    expect([all.current('p:1').size, maps, told]).toEqual([0, [], [1]]);
  });

  it('shows a latecomer the map of a topic that was born meanwhile', async () => {
    const { socket, client } = await pattern();
    socket.push(born());
    socket.push(put(1, 'cpu'));
    const late = record(client.subscribe('p:*'));
    await settled();
    expect(late).toEqual([['snapshot', 'cpu']]);
  });

  it('continues a state topic that came into being while it was subscribed', async () => {
    const h = await pattern();
    h.socket.push(born());
    h.socket.push(put(1, 'cpu'));
    const socket = await comeBack(h);
    expect(socket.command('subscribe').subscriptions.at(-1)).toEqual({
      topic: 'p:*',
      positions: [{ topic: 'p:1', epoch: 'e1', offset: 1 }],
    });
    const topics = [one({ offset: 1, recovered: true })];
    grant(socket, {}, { topic: 'p:*', view: 9, epoch: '', topics });
    socket.push(put(2, 'disk'));
    expect([...h.all.current('p:1').keys()]).toEqual(['cpu', 'disk']);
  });

  it('continues a state topic that was empty when it subscribed', async () => {
    const h = await pattern(one());
    h.socket.push(put(1, 'cpu'));
    const socket = await comeBack(h);
    expect(socket.command('subscribe').subscriptions.at(-1)?.positions).toEqual([
      { topic: 'p:1', epoch: 'e1', offset: 1 },
    ]);
    expect([...h.all.current('p:1').keys()]).toEqual(['cpu']);
  });

  it('tells what one of its topics lost, and that it has caught up with all', async () => {
    const { socket, all, told } = await pattern(one({ mode: 'stream' }));
    const push = { kind: 'caughtUp', view: 9 } as const;
    socket.push({ kind: 'lagging', views: [9] });
    const missing = { after: 0, upto: 4 };
    socket.push({ ...push, topic: 'p:1', epoch: 'e1', offset: 4, recovered: false, missing });
    expect(all.state).toBe('lagging');
    socket.push({ ...push, topic: 'p:*', epoch: '', offset: 0, recovered: true });
    expect(told).toEqual(['lagging', ['gap', 0, 4], 'caughtUp']);
    expect([all.state, all.positions]).toEqual(['live', [{ topic: 'p:1', epoch: 'e1', offset: 4 }]]);
  });

  it('asks for the snapshot of a state topic that was cut off, and for nothing of streams', async () => {
    const h = await pattern(one({ offset: 5 }), one({ topic: 'p:2', offset: 7, mode: 'stream' }));
    const socket = await comeBack(h);
    expect(socket.command('subscribe').subscriptions.at(-1)?.positions).toEqual([
      { topic: 'p:2', epoch: 'e1', offset: 7 },
    ]);
  });

  it.each([0, 1])('begins with an empty map after offset %i, until a batch or a snapshot', async (offset) => {
    const { socket, all } = await pattern(one({ epoch: 'e0', offset: 0 }));
    socket.push({ ...put(1, 'old'), epoch: 'e0' } as Reply);
    socket.push(born({ offset }));
    expect([all.current('p:1').size, socket.count('subscribe')]).toEqual([0, 2]);
    socket.push(put(offset + 1, 'cpu'));
    expect([...all.current('p:1').keys()]).toEqual(['cpu']);
  });

  it('empties the map of a topic that is no more', async () => {
    const h = await pattern();
    h.socket.push(born());
    h.socket.push(put(1, 'cpu'));
    const socket = await comeBack(h);
    const topics = [one({ epoch: '', recovered: false })];
    grant(socket, {}, { topic: 'p:*', view: 9, epoch: '', topics });
    expect([h.all.current('p:1').size, h.maps.at(-1)]).toEqual([0, 'p:1']);
  });

  it('starts on an empty map where everything from the first publication is sent again', async () => {
    const h = await pattern();
    h.socket.push(born());
    h.socket.push(put(1, 'old'));
    h.socket.push(born({ epoch: 'e2', offset: 4 }));
    const again = one({ epoch: 'e2', recovered: true });
    grant(h.socket, { topic: 'p:*', view: 9, epoch: '', topics: [again] });
    h.socket.push({ ...put(1, 'new'), epoch: 'e2' } as Reply);
    expect([...h.all.current('p:1').keys()]).toEqual(['new']);
  });
});

describe('a pattern with a cursor', () => {
  async function pattern(over: Partial<Granted> = {}, options: SubscribeOptions = {}) {
    const h = harness();
    const socket = await h.arrive();
    const all = h.client.subscribe('p:*', options);
    const told = record(all);
    await settled();
    const granting = { topic: 'p:*', view: 9, epoch: '', topics: [], cursor: 'c1', ...over };
    grant(socket, granting);
    return Object.assign(h, { first: socket, all, told });
  }

  async function comeBack(h: Harness, over?: Partial<Granted>): Promise<FakeSocket> {
    const before = h.sockets.length;
    h.socket.end();
    while (h.sockets.length === before) await h.runtime.advance(1_000);
    h.socket.greet();
    if (over) grant(h.socket, { topic: 'p:*', view: 9, epoch: '', ...over });
    return h.socket;
  }

  const of = (topic: string, after: number, upto: number, cursor?: string, epoch = 'e1') =>
    batch(after, upto, { view: 9, topic, epoch, cursor });
  const level = (cursor: string): Reply => ({
    ...{ kind: 'caughtUp', view: 9, topic: 'p:*', epoch: '', offset: 0 },
    ...{ recovered: true, cursor },
  });
  const lost = (topic: string, after: number, upto: number, epoch = 'e1'): Reply => ({
    ...{ kind: 'caughtUp', view: 9, topic, epoch, offset: upto },
    ...{ recovered: false, missing: { after, upto } },
  });
  const asked = (socket: FakeSocket) => socket.command('subscribe').subscriptions;

  it('is resumed by the newest that came, whatever the number of topics', async () => {
    const h = await pattern();
    expect(asked(await comeBack(h))).toEqual([{ topic: 'p:*', cursor: 'c1' }]);
    grant(h.socket, { topic: 'p:*', view: 9, epoch: '', recovered: true, cursor: 'c2' });
    for (let i = 0; i < 1001; i++) h.socket.push(of(`p:${i}`, 0, 1, `d${i}`));
    h.socket.push(of('p:0', 1, 2));
    expect(asked(await comeBack(h))).toEqual([{ topic: 'p:*', cursor: 'd1000' }]);
    grant(h.socket, { topic: 'p:*', view: 9, epoch: '', recovered: true });
    expect(h.all.cursor).toBe('d1000');
    h.socket.push(level('c4'));
    expect(h.all.cursor).toBe('c4');
    expect(asked(await comeBack(h))).toEqual([{ topic: 'p:*', cursor: 'c4' }]);
  });

  it('takes the cursor of a batch that brings nothing new', async () => {
    const h = await pattern();
    h.socket.push(of('p:1', 0, 3, 'c2'));
    h.socket.push(of('p:1', 1, 2, 'c3'));
    expect([h.all.cursor, h.told]).toEqual(['c3', [1, 2, 3]]);
  });

  it('tells what is lost of a topic that was born while it was away', async () => {
    const h = await pattern();
    h.socket.push(of('p:1', 0, 2, 'c2'));
    const socket = await comeBack(h, { recovered: true });
    socket.push(lost('p:2', 0, 15));
    socket.push(of('p:2', 15, 17));
    socket.push(level('c3'));
    expect(h.told).toEqual([1, 2, ['gap', 0, 15], 16, 17]);
    expect(h.all.state).toBe('live');
  });

  it('tells what is lost of a topic that is gone, known or not', async () => {
    const h = await pattern();
    h.socket.push(of('p:1', 0, 2, 'c2'));
    const socket = await comeBack(h, { recovered: true });
    socket.push(lost('p:1', 0, 5));
    socket.push(lost('p:2', 0, 3));
    socket.push(level('c3'));
    socket.push(of('p:1', 5, 6, 'c4'));
    expect(h.told).toEqual([1, 2, ['gap', 2, 5], ['gap', 0, 3], 6]);
  });

  it('tells of a range only what it has not had, and nothing where it had all', async () => {
    const h = await pattern();
    h.socket.push(of('p:1', 0, 4));
    h.socket.push(of('p:2', 0, 4));
    const socket = await comeBack(h, { recovered: true });
    socket.push(lost('p:1', 0, 6));
    socket.push(lost('p:2', 0, 4));
    socket.push(of('p:2', 4, 5));
    expect(h.told).toEqual([1, 2, 3, 4, 1, 2, 3, 4, ['gap', 4, 6], 5]);
  });

  it('tells what is lost of a new numbering beside its reset', async () => {
    const h = await pattern();
    h.socket.push(of('p:1', 0, 4));
    const socket = await comeBack(h, { recovered: true });
    socket.push(lost('p:1', 0, 3, 'e2'));
    socket.push(of('p:1', 3, 4, undefined, 'e2'));
    expect(h.told).toEqual([1, 2, 3, 4, ['reset', 'e2'], ['gap', 0, 3], 4]);
  });

  it('goes on in another numbering that begins with a batch, and tells what is before it', async () => {
    const h = await pattern();
    h.socket.push(of('p:1', 0, 1));
    h.socket.push(of('p:1', 0, 1, undefined, 'e2'));
    h.socket.push(of('p:1', 2, 3, undefined, 'e3'));
    expect(h.told).toEqual([1, ['reset', 'e2'], 1, ['reset', 'e3'], ['gap', 0, 2], 3]);
    expect(h.socket.count('subscribe')).toBe(1);
  });

  it.each([false, undefined])(
    'tells one gap of the whole when the gateway says recovered: %s',
    async (recovered) => {
      const h = await pattern();
      const gaps: Gap[] = [];
      h.all.on('gap', (gap) => gaps.push(gap));
      h.socket.end();
      const late = record(h.client.subscribe('p:*'));
      await comeBack(h);
      grant(h.socket, { topic: 'p:*', view: 9, epoch: '', recovered });
      h.socket.push(level('c9'));
      expect(gaps).toEqual([{ topic: 'p:*', epoch: '' }]);
      expect([h.told, late, h.all.cursor]).toEqual([['gap'], [], 'c9']);
    },
  );

  it('shows values until it is caught up after a gap of the whole, and drops those of topics that are gone', async () => {
    const h = await pattern();
    const publications = [publication(1, 1, { key: 'cpu' })];
    for (const topic of ['p:1', 'p:2']) {
      h.socket.push(reset({ view: 9, topic, epoch: 'e1', mode: 'state' }));
      h.socket.push(batch(0, 1, { view: 9, topic, epoch: 'e1', publications }));
    }
    const sizes = () => ['p:1', 'p:2'].map((topic) => h.all.current(topic).size);
    const socket = await comeBack(h, { recovered: false });
    expect(sizes()).toEqual([1, 1]);
    const whole = { epoch: 'e1', offset: 1, publications, first: true, last: true };
    socket.push({ kind: 'snapshot', view: 9, topic: 'p:1', ...whole });
    socket.push(level('c3'));
    expect(sizes()).toEqual([1, 0]);
    await comeBack(h, { recovered: false, cursor: 'c4' });
    expect(sizes()).toEqual([0, 0]);
  });

  it('drops them also where another showed them first, and it asked by a cursor of its own', async () => {
    const h = await pattern();
    h.socket.push(reset({ view: 9, topic: 'p:1', epoch: 'e1', mode: 'state' }));
    const publications = [publication(1, 1, { key: 'cpu' })];
    h.socket.push(batch(0, 1, { view: 9, topic: 'p:1', epoch: 'e1', publications }));
    const late = h.client.subscribe('p:*', { cursor: 'c0' });
    await settled();
    expect(late.current('p:1').size).toBe(1);
    grant(h.socket, { topic: 'p:*', view: 10, epoch: '', recovered: false, cursor: 'c2' });
    expect([h.all, late].map((each) => each.current('p:1').size)).toEqual([0, 0]);
  });

  it('keeps a cursor that the gateway can’t read until it is caught up', async () => {
    const h = await pattern();
    await comeBack(h, { recovered: false });
    expect(asked(await comeBack(h))).toEqual([{ topic: 'p:*', cursor: 'c1' }]);
  });

  it('tells that nothing was lost, at once or when it is caught up', async () => {
    const h = await pattern();
    const socket = await comeBack(h, { recovered: true, cursor: 'c1' });
    expect(h.told).toEqual(['recovered']);
    socket.push(level('c2'));
    expect(h.told).toEqual(['recovered']);
    const again = await comeBack(h, { recovered: true });
    again.push(of('p:1', 0, 1));
    expect(h.told).toEqual(['recovered', 1]);
    again.push(level('c3'));
    expect(h.told).toEqual(['recovered', 1, 'recovered']);
  });

  it('tells that it has caught up only where it lagged', async () => {
    const { socket, all, told } = await pattern();
    socket.push(level('c2'));
    socket.push({ kind: 'lagging', views: [9] });
    expect(all.state).toBe('lagging');
    socket.push(level('c3'));
    expect([told, all.state, all.cursor]).toEqual([['lagging', 'caughtUp'], 'live', 'c3']);
  });

  it('drops what it had when the catch-up begins before it', async () => {
    const h = await pattern();
    h.socket.push(of('p:1', 0, 3, 'c2'));
    h.socket.push(of('p:1', 3, 5));
    const socket = await comeBack(h, { recovered: true });
    socket.push(of('p:1', 3, 6));
    expect(h.told).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('begins where a page kept it, and that may be earlier than where others are', async () => {
    const h = await pattern({ topics: undefined, recovered: true }, { cursor: 'c0' });
    expect(asked(h.first)).toEqual([{ topic: 'p:*', cursor: 'c0' }]);
    h.socket.push(of('p:1', 0, 2, 'c2'));
    const early = h.client.subscribe('p:*', { cursor: 'c0' });
    const told = record(early);
    await settled();
    expect([asked(h.socket), early.cursor]).toEqual([[{ topic: 'p:*', cursor: 'c0' }], 'c0']);
    grant(h.socket, { topic: 'p:*', view: 10, epoch: '', recovered: true });
    h.socket.push(batch(0, 3, { view: 10, topic: 'p:1', epoch: 'e1' }));
    expect([h.told, told]).toEqual([
      ['recovered', 1, 2, 3],
      [1, 2, 3],
    ]);
    const same = h.client.subscribe('p:*', { cursor: h.all.cursor });
    await settled();
    expect([h.socket.count('subscribe'), same.cursor]).toEqual([2, h.all.cursor]);
  });

  it('shows one that goes back the state topics that others know, and tells those of new numberings', async () => {
    const topics = [{ topic: 'p:1', epoch: 'e1', offset: 0, mode: 'state' as const }];
    const h = await pattern({ topics });
    const value = (offset: number, key: string, epoch = 'e1') =>
      batch(offset - 1, offset, {
        ...{ view: 9, topic: 'p:1', epoch, cursor: `c${offset}` },
        publications: [publication(offset, key, { key })],
      });
    h.socket.push(value(1, 'cpu'));
    h.socket.push(of('p:2', 0, 1));
    const early = h.client.subscribe('p:*', { cursor: 'c0' });
    await settled();
    expect([...early.current('p:1').keys()]).toEqual(['cpu']);
    grant(h.socket, { topic: 'p:*', view: 9, epoch: '', recovered: true });
    h.socket.push(value(2, 'disk'));
    expect([...early.current('p:1').keys()]).toEqual(['cpu', 'disk']);
    h.told.length = 0;
    h.socket.push(of('p:2', 0, 1, undefined, 'e2'));
    expect(h.told).toEqual([['reset', 'e2'], 1]);
  });

  it('serves one cursor after the other', async () => {
    const h = await pattern();
    h.client.subscribe('p:*', { cursor: 'a' });
    h.client.subscribe('p:*', { cursor: 'b' });
    await settled();
    const wanted: (string | undefined)[] = [];
    for (let view = 10; view < 12; view++) {
      wanted.push(asked(h.socket)[0]?.cursor);
      grant(h.socket, { topic: 'p:*', view, epoch: '', recovered: true });
    }
    expect([wanted, h.socket.count('subscribe')]).toEqual([['a', 'b'], 3]);
  });

  it('goes back by positions when a batch is missing, at most a thousand, with that topic’s first', async () => {
    const h = await pattern();
    for (let i = 0; i < 1001; i++) h.socket.push(of(`p:${i}`, 0, 1, `d${i}`));
    h.socket.push(of('p:1000', 2, 3, 'too far'));
    const [request] = asked(h.socket);
    expect([request?.positions?.length, request?.positions?.[0], request?.cursor]).toEqual([
      1000,
      { topic: 'p:1000', epoch: 'e1', offset: 1 },
      undefined,
    ]);
    grant(h.socket, { topic: 'p:*', view: 9, epoch: '', topics: [] });
    h.socket.push(level('c5'));
    expect(asked(await comeBack(h))).toEqual([{ topic: 'p:*', cursor: 'c5' }]);
  });

  it('empties the map of a state topic that is gone', async () => {
    const topics = [{ topic: 'p:1', epoch: 'e1', offset: 0, mode: 'state' as const }];
    const h = await pattern({ topics });
    const publications = [publication(1, 'x', { key: 'cpu' })];
    h.socket.push(batch(0, 1, { view: 9, topic: 'p:1', epoch: 'e1', publications, cursor: 'c2' }));
    expect(h.all.current('p:1').size).toBe(1);
    const socket = await comeBack(h, { recovered: true });
    socket.push(snapshot({ view: 9, topic: 'p:1', offset: 2 }));
    expect([h.all.current('p:1').size, h.told]).toEqual([0, [1, ['snapshot']]]);
  });

  describe('that has known many topics', () => {
    const names = Array.from({ length: 10_000 }, (_, i) => `p:${i}`);

    async function withMany() {
      const h = await pattern();
      for (const name of names) h.socket.push(of(name, 0, 1, 'c2'));
      return h;
    }

    it('forgets those that have been quiet for long, and no others', async () => {
      const h = await withMany();
      h.runtime.sleep(60_001);
      h.socket.push(of('p:0', 1, 2, 'c3'));
      expect(h.all.positions).toHaveLength(10_000);
      h.socket.push(of('new', 0, 1));
      expect(h.all.positions).toHaveLength(10_001);
      h.socket.push(of('new', 1, 2, 'c4'));
      expect(h.all.positions).toHaveLength(10_000);
      expect(h.all.positions.map(({ topic }) => topic)).not.toContain('p:1');
      for (let i = 0; i < 50; i++) h.socket.push(of(`new:${i}`, 0, 1, 'c5'));
      expect(h.all.positions).toHaveLength(10_000);
    });

    it('forgets none that came within a minute', async () => {
      const h = await withMany();
      h.runtime.sleep(60_000);
      for (let i = 0; i < 50; i++) h.socket.push(of(`new:${i}`, 0, 1, 'c5'));
      expect(h.all.positions).toHaveLength(10_050);
    });

    it('goes back in the one that lacks a batch, and nowhere else', async () => {
      const h = await withMany();
      h.runtime.sleep(60_001);
      h.socket.push(of('p:0', 1, 2, 'c3'));
      h.socket.push(of('new', 0, 1, 'c4'));
      h.socket.push(of('p:0', 3, 4, 'c5'));
      const [request] = asked(h.socket);
      const start = { topic: 'p:0', epoch: 'e1', offset: 2 };
      expect([request?.cursor, request?.positions]).toEqual(['c4', [start]]);
      const topics = [{ ...start, mode: 'stream' as const, recovered: true }];
      grant(h.socket, { topic: 'p:*', view: 9, epoch: '', recovered: true, topics });
      h.told.length = 0;
      h.socket.push(of('p:0', 2, 4));
      h.socket.push(of('p:5', 1, 2));
      h.socket.push(level('c6'));
      expect(h.told.filter((each) => typeof each === 'number')).toEqual([3, 4, 2]);
      expect(asked(await comeBack(h))).toEqual([{ topic: 'p:*', cursor: 'c6' }]);
    });

    it('goes on with one that it has forgotten', async () => {
      const h = await withMany();
      h.runtime.sleep(60_001);
      h.socket.push(of('new', 0, 1, 'c3'));
      h.told.length = 0;
      h.socket.push(of('p:0', 1, 2, 'c4'));
      expect([h.told, h.socket.count('subscribe')]).toEqual([[2], 1]);
    });

    it('keeps state topics that have values, and knows the others as state topics still', async () => {
      const h = await pattern();
      for (const topic of ['p:full', 'p:empty'])
        h.socket.push(reset({ view: 9, topic, mode: 'state', epoch: 'e1' }));
      const value = (topic: string, offset: number) =>
        batch(offset - 1, offset, {
          ...{ view: 9, topic, epoch: 'e1', cursor: 'c2' },
          publications: [publication(offset, 'x', { key: `k${offset}` })],
        });
      h.socket.push(value('p:full', 1));
      for (const name of names) h.socket.push(of(name, 0, 1, 'c2'));
      h.runtime.sleep(60_001);
      h.socket.push(of('new', 0, 1, 'c3'));
      const known = () => h.all.positions.map(({ topic }) => topic);
      expect([known().includes('p:full'), known().includes('p:empty')]).toEqual([true, false]);
      h.socket.push(value('p:full', 2));
      h.socket.push(value('p:empty', 1));
      expect([h.all.current('p:full').size, h.all.current('p:empty').size]).toEqual([2, 1]);
    });
  });
});

describe('a topic with a cursor', () => {
  it('asks with it beside its position', async () => {
    const h = await live({ epoch: '', cursor: 'c1' });
    h.socket.end();
    await h.runtime.advance(1_000);
    const next = h.sockets.at(-1) as FakeSocket;
    next.greet();
    const since = { epoch: '', offset: 0 };
    expect(next.command('subscribe').subscriptions).toEqual([{ topic: 'a', since, cursor: 'c1' }]);
    grant(next, { epoch: '', recovered: true });
    expect(h.subscription.cursor).toBe('c1');
    grant(next, { epoch: '', recovered: true, cursor: 'c2' });
  });

  it('asks without it where a member begins earlier, or with that member’s', async () => {
    const h = await live({ epoch: 'e1', offset: 5, cursor: 'c1' });
    const since = { epoch: 'e1', offset: 2 };
    h.client.subscribe('a', { since });
    await settled();
    expect(h.socket.command('subscribe').subscriptions).toEqual([{ topic: 'a', since }]);
    grant(h.socket, { offset: 2, recovered: true });
    h.client.subscribe('a', { since: { epoch: 'e1', offset: 1 }, cursor: 'c0' });
    await settled();
    expect(h.socket.command('subscribe').subscriptions).toEqual([
      { topic: 'a', since: { epoch: 'e1', offset: 1 }, cursor: 'c0' },
    ]);
  });

  it('tells a gap of unknown extent where the gateway can’t tell whether something is lost', async () => {
    const h = await live({ epoch: '' });
    const gaps: Gap[] = [];
    h.subscription.on('gap', (gap) => gaps.push(gap));
    h.socket.end();
    await h.runtime.advance(1_000);
    const next = h.sockets.at(-1) as FakeSocket;
    next.greet();
    grant(next, { epoch: '', recovered: false });
    expect(gaps).toEqual([{ topic: 'a', epoch: '' }]);
    next.push(batch(0, 1));
    expect(h.told).toEqual(['gap', 1]);
  });

  it('tells what is lost of a topic that it knew as empty', async () => {
    const h = await live({ epoch: '' });
    h.socket.end();
    await h.runtime.advance(1_000);
    const next = h.sockets.at(-1) as FakeSocket;
    next.greet();
    grant(next, { epoch: 'e1', offset: 4, recovered: false, missing: { after: 0, upto: 4 } });
    expect(h.told).toEqual([['gap', 0, 4]]);
  });

  it('tells what is lost of a new numbering beside its reset', async () => {
    const h = await live();
    h.socket.push(batch(0, 2));
    h.socket.end();
    await h.runtime.advance(1_000);
    const next = h.sockets.at(-1) as FakeSocket;
    next.greet();
    grant(next, { epoch: 'e2', offset: 4, recovered: false, missing: { after: 0, upto: 4 } });
    next.push(batch(4, 5));
    expect(h.told).toEqual([1, 2, ['reset', 'e2'], ['gap', 0, 4], 5]);
  });
});

it('tells what is lost of a topic that a gateway without cursors names for the first time', async () => {
  const h = harness();
  const socket = await h.arrive();
  const told = record(h.client.subscribe('p:*'));
  await settled();
  grant(socket, { topic: 'p:*', view: 9, epoch: '', topics: [] });
  socket.end();
  await h.runtime.advance(1_000);
  h.socket.greet();
  const missing = { after: 0, upto: 15 };
  const topics = [
    { topic: 'p:2', epoch: 'e1', offset: 15, mode: 'stream', recovered: false, missing } as const,
  ];
  grant(h.socket, { topic: 'p:*', view: 9, epoch: '', topics });
  h.socket.push(batch(15, 17, { view: 9, topic: 'p:2', epoch: 'e1' }));
  expect(told).toEqual([['gap', 0, 15], 16, 17]);
});

it('stops in the middle of a batch when a listener unsubscribes', async () => {
  const { socket, subscription, told } = await live();
  subscription.on('publication', () => subscription.unsubscribe());
  socket.push(batch(0, 3));
  expect(told).toEqual([1]);
});

const rateLimited = (retryAfterMs: number) =>
  ({ kind: 'error', code: 'rate_limited', number: 140, message: 'slow', retry: true, retryAfterMs }) as const;
const refusal = (code: string, retry: boolean, retryAfterMs?: number) =>
  ({ code, number: 142, message: code, retry, retryAfterMs }) as const;
const topicsOf = (socket: FakeSocket) => socket.command('subscribe').subscriptions.map(({ topic }) => topic);

describe('many subscriptions', () => {
  it.each([499, 500, 501])('of a reconnect go out in commands of 500 at most: %i', async (count) => {
    const h = harness();
    for (let n = 0; n < count; n++) h.client.subscribe(`t${n}`);
    const socket = await h.arrive();
    const sizes = socket.frames.flatMap((frame) =>
      frame.kind === 'subscribe' ? [frame.subscriptions.length] : [],
    );
    expect(sizes).toEqual(count > 500 ? [500, count - 500] : [count]);
    socket.push(
      { kind: 'subscribed', results: [granted({ topic: `t${count - 1}`, view: 4 })] },
      socket.command('subscribe').id,
    );
  });

  it('go out in commands that the gateway takes, and one that it never would is refused alone', async () => {
    const h = harness();
    const codes: string[] = [];
    h.client.onError(({ code }) => codes.push(code));
    const filter = (length: number) => ({ op: 'eq', tag: 'k', value: 'x'.repeat(length) }) as const;
    for (const name of ['a', 'b', 'c']) h.client.subscribe(name, { filter: filter(500) });
    const large = h.client.subscribe('large', {
      filter: { op: 'in', tag: 'k', values: ['x'.repeat(900), 'y'.repeat(900)] },
    });
    void h.client.connect();
    await settled();
    const limits = {
      frameMaxBytes: 1_500,
      payloadMaxBytes: 1_000,
      subscriptions: 100,
      commandsPerSecond: 100,
      idleTimeoutMs: 60_000,
    };
    h.socket.greet({ limits });
    expect([codes, large.state, h.socket.count('subscribe')]).toEqual([['frame_too_large'], 'refused', 2]);
    expect(h.client.getStatus().state).toBe('connected');
  });

  it('that a full gateway refused at once are asked for again at once', async () => {
    const h = harness();
    h.client.onError(() => {});
    for (const name of ['a', 'b', 'c']) h.client.subscribe(name);
    const socket = await h.arrive();
    const error = refusal('too_many_views', true);
    socket.reply('subscribe', {
      kind: 'subscribed',
      results: ['a', 'b', 'c'].map((topic) => ({ topic, error })),
    });
    await h.runtime.advance(1_000);
    expect([socket.count('subscribe'), topicsOf(socket)]).toEqual([2, ['a', 'b', 'c']]);
  });
});

describe('a refusal', () => {
  it('is tried again at the time that it names, not before', async () => {
    const h = harness();
    h.client.onError(() => {});
    h.client.subscribe('a');
    const socket = await h.arrive();
    socket.reply('subscribe', {
      kind: 'subscribed',
      results: [{ topic: 'a', error: refusal('too_many_views', true, 3_000) }],
    });
    await h.runtime.advance(2_999);
    expect(socket.count('subscribe')).toBe(1);
    await h.runtime.advance(1);
    expect(socket.count('subscribe')).toBe(2);
  });

  it('of one touches no other of its command', async () => {
    const h = harness();
    const [good, bad] = ['a', 'b'].map((topic) => h.client.subscribe(topic));
    bad?.on('error', () => {});
    const socket = await h.arrive();
    const results = [granted(), { topic: 'b', error: refusal('invalid_filter', false) }];
    socket.reply('subscribe', { kind: 'subscribed', results });
    expect([good?.state, bad?.state]).toEqual(['live', 'refused']);
  });

  it.each([false, true])('is tried again once by the next connection (retry: %j)', async (retry) => {
    const h = harness({ heartbeat: { timeoutMs: 1e9 } });
    h.client.onError(() => {});
    h.client.subscribe('a');
    const socket = await h.arrive();
    socket.reply('subscribe', {
      kind: 'subscribed',
      results: [{ topic: 'a', error: refusal('too_many_views', retry, 30_000) }],
    });
    socket.end();
    await h.arrive();
    expect(h.socket.count('subscribe')).toBe(1);
    grant(h.socket, {});
    await h.runtime.advance(30_000);
    expect(h.socket.count('subscribe')).toBe(1);
  });

  it('of a topic of the session’s own is told to the application', async () => {
    const h = harness();
    const told: string[] = [];
    h.client.onError(({ code, message }) => told.push(`${code} ${message}`));
    const socket = await h.arrive();
    const error = { ...refusal('too_many_topics', true), message: 'no room' };
    socket.push({ kind: 'subscribed', results: [{ topic: 'user:alice', error }] });
    expect(told).toEqual(['too_many_topics user:alice: no room']);
    const heard: number[] = [];
    h.client.on('publication', ({ offset }) => heard.push(offset));
    socket.push({ kind: 'subscribed', results: [granted({ topic: 'user:alice' })] });
    socket.push(batch(0, 1));
    expect(heard).toEqual([1]);
  });

  it('of a topic of the user before is nothing to tell, and ends it', async () => {
    const h = harness();
    const told: string[] = [];
    h.client.onError(({ code }) => told.push(code));
    const before = await h.arrive();
    before.push({ kind: 'subscribed', results: [granted({ topic: 'user:alice' })] });
    before.push(batch(0, 1));
    h.client.close();
    const socket = await h.arrive();
    socket.reply('subscribe', {
      kind: 'subscribed',
      results: [{ topic: 'user:alice', error: refusal('forbidden', false) }],
    });
    // Less than the first ping waits for its reply, which does not come here.
    await h.runtime.advance(9_000);
    expect([told, h.client.getStatus().subscriptions, socket.count('subscribe')]).toEqual([[], 0, 1]);
  });
});

describe('a subscribe', () => {
  it('over the rate is no refusal, and is sent again with all that was in it', async () => {
    const h = harness();
    const told = ['a', 'b'].map((topic) => record(h.client.subscribe(topic)));
    const socket = await h.arrive();
    socket.reply('subscribe', rateLimited(800));
    await h.runtime.advance(799);
    expect(socket.count('subscribe')).toBe(1);
    await h.runtime.advance(1);
    expect([socket.count('subscribe'), topicsOf(socket)]).toEqual([2, ['a', 'b']]);
    expect(told).toEqual([[], []]);
  });

  it('without a reply ends the connection: what the gateway has is unknown', async () => {
    const h = harness({ heartbeat: { timeoutMs: 1e9 } });
    h.client.subscribe('a');
    const socket = await h.arrive();
    await h.runtime.advance(10_000);
    expect(socket.closedBy).toBeDefined();
    expect(h.client.getStatus()).toMatchObject({ state: 'reconnecting', reason: 'timeout' });
  });
});

describe('an unsubscribe', () => {
  async function leftOne() {
    const h = await live();
    h.subscription.unsubscribe();
    await settled();
    return h;
  }

  it('of many of one turn is one command', async () => {
    const h = harness();
    const all = ['a', 'b', 'c'].map((topic) => h.client.subscribe(topic));
    const socket = await h.arrive();
    grant(socket, { view: 1 }, { topic: 'b', view: 2 }, { topic: 'c', view: 3 });
    for (const one of all) one.unsubscribe();
    await settled();
    expect([socket.count('unsubscribe'), socket.command('unsubscribe').views]).toEqual([1, [1, 2, 3]]);
  });

  it('over the rate is sent again; the ghost is not heard, and the topic can be subscribed again', async () => {
    const { socket, client, runtime } = await leftOne();
    socket.reply('unsubscribe', rateLimited(400));
    const again = client.subscribe('a');
    const told = record(again);
    await settled();
    socket.push(batch(0, 1));
    await runtime.advance(399);
    expect([socket.count('unsubscribe'), socket.count('subscribe'), told]).toEqual([1, 1, []]);
    await runtime.advance(1);
    expect([socket.count('unsubscribe'), socket.count('subscribe')]).toEqual([2, 2]);
    expect(socket.frames.slice(-2).map(({ kind }) => kind)).toEqual(['unsubscribe', 'subscribe']);
    grant(socket, { view: 7, offset: 1 });
    socket.push(batch(1, 2));
    expect([again.state, told]).toEqual(['live', [2]]);
  });

  it('over the rate does not hold up other subscriptions', async () => {
    const { socket, client } = await leftOne();
    socket.reply('unsubscribe', rateLimited(400));
    client.subscribe('b');
    client.subscribe('a', { intervalMs: 1_000 });
    await settled();
    expect(topicsOf(socket)).toEqual(['b', 'a']);
  });

  it('is over with its connection', async () => {
    const h = await leftOne();
    h.socket.reply('unsubscribe', rateLimited(5_000));
    h.client.subscribe('a');
    h.socket.end();
    await h.runtime.advance(1_000);
    const second = h.sockets.at(-1) as FakeSocket;
    second.greet();
    expect([second.count('unsubscribe'), second.count('subscribe')]).toEqual([0, 1]);
    grant(second, {});
    const other = h.client.subscribe('b');
    await settled();
    grant(second, { topic: 'b', view: 8 });
    other.unsubscribe();
    await settled();
    expect(second.command('unsubscribe').views).toEqual([8]);
  });

  it('without a reply ends the connection', async () => {
    const h = harness({ heartbeat: { timeoutMs: 1e9 } });
    const subscription = h.client.subscribe('a');
    const socket = await h.arrive();
    grant(socket, {});
    subscription.unsubscribe();
    await settled();
    await h.runtime.advance(10_000);
    expect(h.client.getStatus()).toMatchObject({ state: 'reconnecting', reason: 'timeout' });
  });
});

describe('a subscription that the gateway has already', () => {
  const already = refusal('already_subscribed', false);

  it('is asked for again when the unsubscribe before it, which was over the rate, has been sent', async () => {
    const { socket, client, runtime, subscription } = await live();
    subscription.unsubscribe();
    const release = async () => {
      await settled();
      return client.subscribe('a');
    };
    const again = await release();
    await settled();
    socket.push(rateLimited(400), socket.command('unsubscribe').id);
    socket.reply('subscribe', { kind: 'subscribed', results: [{ topic: 'a', error: already }] });
    await runtime.advance(400);
    grant(socket, { view: 7 });
    expect(again.state).toBe('live');
  });

  it('and the client does not, is ended and asked for again', async () => {
    const h = harness();
    const subscription = h.client.subscribe('a');
    const told = record(subscription);
    const socket = await h.arrive();
    socket.reply('subscribe', { kind: 'subscribed', results: [{ topic: 'a', error: already }] });
    socket.reply('status', {
      kind: 'status',
      session: 's1',
      connectedAtMs: 1,
      messageCount: 0,
      timeMs: 1,
      subscriptions: [
        { topic: 'a', view: 3 },
        { topic: 'b', view: 4 },
      ],
    });
    await settled();
    expect(socket.command('unsubscribe').views).toEqual([3]);
    await h.runtime.advance(1_000);
    expect(socket.count('subscribe')).toBe(2);
    grant(socket, { view: 3 });
    expect([subscription.state, told]).toEqual(['live', []]);
  });

  it('for another here that gets the same, as the namespace conflates by itself, is one with that from now on', async () => {
    const h = harness();
    const first = h.client.subscribe('a');
    const second = h.client.subscribe('a', { conflate: true });
    const told = [first, second].map((one) => record(one));
    const socket = await h.arrive();
    socket.reply('subscribe', { kind: 'subscribed', results: [granted(), { topic: 'a', error: already }] });
    await settled();
    socket.push(batch(0, 2));
    expect([second.state, told]).toEqual([
      'live',
      [
        [1, 2],
        [1, 2],
      ],
    ]);
    first.unsubscribe();
    await settled();
    expect(socket.count('unsubscribe')).toBe(0);
    second.unsubscribe();
    await settled();
    expect(socket.command('unsubscribe').views).toEqual([7]);
  });
});

describe('equal subscriptions', () => {
  it.each<[string, SubscribeOptions, SubscribeOptions]>([
    ['intervals of one step', { intervalMs: 60 }, { intervalMs: 80 }],
    [
      'filters in two forms',
      { filter: { op: 'in', tag: 'k', values: ['a'] } },
      { filter: { op: 'not', filters: [{ op: 'not', filters: [{ op: 'eq', tag: 'k', value: 'a' }] }] } },
    ],
  ])('go out as one: %s', async (_, one, other) => {
    const h = harness();
    const both = [one, other].map((options) => h.client.subscribe('a', options));
    const socket = await h.arrive();
    expect(socket.command('subscribe').subscriptions).toHaveLength(1);
    grant(socket, {});
    expect(both.map(({ state }) => state)).toEqual(['live', 'live']);
  });

  it('are one also when a topic of a user is spelt in two ways', async () => {
    const h = harness();
    const both = ['user:a@b', 'user:a%40b'].map((topic) => record(h.client.subscribe(topic)));
    const socket = await h.arrive();
    expect(topicsOf(socket)).toEqual(['user:a@b']);
    grant(socket, { topic: 'user:a@b' });
    socket.push(batch(0, 1));
    expect(both).toEqual([[1], [1]]);
  });
});

describe('what one receiver makes of a publication', () => {
  it('is not visible to the others', async () => {
    const { socket, client } = await live();
    const seen: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      client.subscribe<number[]>('a', {}, ({ data }) => {
        seen.push([...data]);
        data.push(9);
      });
    }
    socket.push(batch(0, 1, { publications: [publication(1, [1])] }));
    expect(seen).toEqual([[1], [1]]);
  });
});

describe('the map of a state topic', () => {
  const put = (offset: number, key: string) =>
    batch(offset - 1, offset, { publications: [publication(offset, offset, { key })] });

  it('is another one after each change, and stays as it was told', async () => {
    const { socket, subscription } = await live({ mode: 'state' });
    const told: ReadonlyMap<string, unknown>[] = [];
    subscription.on('map', (entries) => told.push(entries));
    socket.push(put(1, 'a'));
    socket.push(put(2, 'b'));
    expect(told.map((map) => [...map.keys()])).toEqual([['a'], ['a', 'b']]);
    expect(subscription.current()).toBe(told[1]);
    expect(subscription.current()).toBe(subscription.current());
    socket.push(reset({ epoch: 'e2', mode: 'state' }));
    expect(told.map((map) => [...map.keys()])).toEqual([['a'], ['a', 'b'], []]);
  });

  it('is not shown to a latecomer before its snapshot is complete', async () => {
    const { socket, client } = await live({ mode: 'state', offset: 2 });
    const [cpu, disk] = ['cpu', 'disk'].map((key, i) => publication(i + 1, i, { key }));
    socket.push(snapshot({ offset: 2, publications: [cpu!], last: false }));
    const late = client.subscribe('a');
    const told = record(late);
    await settled();
    expect(told).toEqual([]);
    socket.push(snapshot({ offset: 2, publications: [disk!], first: false }));
    expect(told).toEqual([['snapshot', 'cpu', 'disk']]);
  });
});

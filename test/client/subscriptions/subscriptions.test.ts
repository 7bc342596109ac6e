import { describe, expect, it } from 'vitest';
import type { ReceivedPublication, SubscribeOptions } from '../../../src/client/index.ts';
import { upTo } from '../../support/numbers.ts';
import { arrived, harness, publication, settled } from '../support/fakes.ts';
import { announced, batch, compressed, grant, live, record, runOf, snapshot, topicsOf } from './fixtures.ts';

describe('subscribing', () => {
  it('asks for everything of one turn in one command', async () => {
    const { h, socket } = await arrived();
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
    const { h, socket } = await arrived();
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

  it('tells a refusal, and asks again at the time that it names', async () => {
    const { h, socket } = await arrived();
    const subscription = h.client.subscribe('a');
    const told = record(subscription);
    await settled();
    const error = { code: 'too_many_views', number: 142, message: 'no', retry: true, retryAfterMs: 3_000 };
    socket.reply('subscribe', { kind: 'subscribed', results: [{ topic: 'a', error }] });
    expect(told).toEqual([['error', 'too_many_views']]);
    expect(subscription.state).toBe('refused');
    await h.runtime.advance(2_999);
    expect(socket.count('subscribe')).toBe(1);
    await h.runtime.advance(1);
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
    await h.comeBack();
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
    const { h, socket } = await arrived();
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
    const { h, socket } = await arrived();
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
    const { h, socket } = await arrived();
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
    const { h, socket } = await arrived();
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
    const { h, socket } = await arrived();
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
    expect(late.filter((one) => typeof one === 'number')).toEqual(upTo(11));
    expect(told.filter((one) => typeof one === 'number')).toEqual([11]);
  });

  it('shows a latecomer of a state topic the map at once', async () => {
    const { client, socket } = await live({ mode: 'state', offset: 3 });
    const publications = [publication(2, 'x', { key: 'cpu' }), publication(3, 'y', { key: 'disk' })];
    socket.push(snapshot({ offset: 3, publications }));
    const late = client.subscribe('a', { last: 5 });
    const told = record(late);
    await settled();
    expect(told).toEqual([['snapshot', 'cpu', 'disk']]);
    expect(late.current().get('cpu')?.data).toBe('x');
    expect(socket.count('subscribe')).toBe(1);
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

it('stops in the middle of a batch when a listener unsubscribes', async () => {
  const { socket, subscription, told } = await live();
  subscription.on('publication', () => subscription.unsubscribe());
  socket.push(batch(0, 3));
  expect(told).toEqual([1]);
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

import { describe, expect, it } from 'vitest';
import type { Gap } from '../../../src/client/index.ts';
import type { Granted } from '../../../src/protocol/frames.ts';
import { arrived, greeting, harness, publication, settled } from '../support/fakes.ts';
import {
  announced,
  batch,
  compressed,
  grant,
  granted,
  live,
  record,
  reset,
  runOf,
  snapshot,
} from './fixtures.ts';

describe('after a reconnect', () => {
  it('asks for all in one command, each from its own position', async () => {
    const { h, socket } = await arrived();
    h.client.subscribe('a', { last: 5 });
    h.client.subscribe('b');
    h.client.subscribe('j:*');
    await settled();
    const topics = [{ topic: 'j:1', epoch: 'e3', offset: 8, mode: 'stream' as const }];
    grant(socket, {}, { topic: 'b', view: 8, epoch: 'e2' }, { topic: 'j:*', view: 9, epoch: '', topics });
    socket.push(batch(0, 4));
    socket.push(batch(0, 2, { view: 9, topic: 'j:2', epoch: 'e4' }));
    socket.push(batch(8, 9, { view: 9, topic: 'j:1', epoch: 'e3' }));
    await h.comeBack();
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

  it.each<[string, Partial<Granted>, unknown[]]>([
    ['goes on without a seam when everything is recovered', { offset: 2, recovered: true }, ['recovered', 3]],
    [
      'names what is lost, and goes on after it',
      { offset: 6, recovered: false, missing: { after: 2, upto: 6 } },
      [['gap', 2, 6], 7],
    ],
    ['reports a new epoch', { epoch: 'e2', recovered: false }, [['reset', 'e2'], 1]],
    [
      'tells what is lost of a new numbering beside its reset',
      { epoch: 'e2', offset: 4, recovered: false, missing: { after: 0, upto: 4 } },
      [['reset', 'e2'], ['gap', 0, 4], 5],
    ],
  ])('%s', async (_, { offset = 0, ...reply }, expected) => {
    const { socket, told, client, subscription, comeBack } = await live();
    socket.push(batch(0, 2));
    const second = await comeBack();
    grant(second, { offset, ...reply });
    second.push(batch(offset, offset + 1));
    expect(told).toEqual([1, 2, ...expected]);
    expect(subscription.position).toEqual({ epoch: reply.epoch ?? 'e1', offset: offset + 1 });
    expect(client.getStats().gaps).toBe(0);
  });

  it('asks for the snapshot again when the first one was cut off', async () => {
    const { socket, comeBack } = await live({ mode: 'state', offset: 9 });
    const publications = [publication(2, 'x', { key: 'cpu' })];
    socket.push(snapshot({ offset: 9, publications, last: false }));
    const second = await comeBack();
    expect(second.command('subscribe').subscriptions).toEqual([{ topic: 'a' }]);
  });

  it.each<[string, number, unknown[]]>([
    ['nothing of it', 0, [5, 6, 7]],
    ['a part of it', 5, [1, 2, 3, 4, 5, 6, 7]],
  ])(
    'delivers once what a gateway that lags tells after a snapshot that was cut off, had it %s',
    async (...[, had, expected]) => {
      const { socket, told, comeBack } = await live({ mode: 'state' });
      socket.push(batch(0, had));
      const cutOff = await comeBack();
      grant(cutOff, { mode: 'state', offset: 9, recovered: true });
      const lagging = await comeBack();
      grant(lagging, { mode: 'state', offset: 4 });
      lagging.push(snapshot({ offset: 4, publications: [publication(4, 'x', { key: 'cpu' })] }));
      lagging.push(batch(4, 7));
      expect(told.filter((each) => typeof each === 'number')).toEqual(expected);
    },
  );

  it('delivers nothing twice of a numbering to which gateways that lag go back after others', async () => {
    const { h, socket, subscription, told, comeBack } = await live();
    subscription.on('reset', ({ offset }) => told.push(offset));
    socket.push(batch(0, 5));
    for (const epoch of ['e2', 'e3', 'e1']) grant(await comeBack(), { epoch, offset: 2, recovered: false });
    h.socket.push(batch(2, 7));
    expect(told).toEqual([1, 2, 3, 4, 5, ['reset', 'e2'], 2, ['reset', 'e3'], 2, ['reset', 'e1'], 5, 6, 7]);
  });

  it.each([
    [5, [6, 7]],
    [50, [3, 4, 5, 6, 7]],
  ])(
    'remembers what it had of a few numberings: of one %i numberings ago comes %j',
    async (count, expected) => {
      const { h, socket, told, comeBack } = await live();
      const others = Array.from({ length: count - 1 }, (_, i) => `n${i}`);
      socket.push(batch(0, 5));
      for (const epoch of [...others, 'e1']) grant(await comeBack(), { epoch, offset: 2, recovered: false });
      told.length = 0;
      h.socket.push(batch(2, 7));
      expect(told).toEqual(expected);
    },
  );

  it.each([0, 4, 5, 6, 13])(
    'delivers nothing twice of the numbering before, though there were %i before that',
    async (count) => {
      const { h, told, comeBack } = await live();
      const before = Array.from({ length: count }, (_, i) => `n${i}`);
      for (const epoch of [...before, 'old']) {
        grant(await comeBack(), { epoch, offset: 2, recovered: false });
        h.socket.push(batch(2, 5));
      }
      grant(await comeBack(), { epoch: 'new', offset: 2, recovered: false });
      h.socket.push(batch(2, 3));
      grant(await comeBack(), { epoch: 'old', offset: 2, recovered: false });
      told.length = 0;
      h.socket.push(batch(2, 7));
      expect(told).toEqual([6, 7]);
    },
  );

  it('delivers nothing twice to others where one is told that it lacks what it does not know', async () => {
    const { h, socket, told } = await live();
    socket.push(batch(0, 1));
    const other = record(h.client.subscribe('a', { since: { epoch: '', offset: 0 } }));
    await settled();
    grant(socket, { view: 8, recovered: false });
    socket.push(batch(0, 1, { view: 8 }));
    expect([told, other]).toEqual([[1], ['gap', 1]]);
  });

  it('tells a pattern without any topic yet apart from a new one', async () => {
    const { h, socket } = await arrived();
    h.client.subscribe('j:*');
    await settled();
    grant(socket, { topic: 'j:*', epoch: '', topics: [] });
    await h.comeBack();
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
    const { socket, told, subscription, comeBack } = await live();
    const gone = { kind: 'caughtUp', view: 7, topic: 'a', epoch: 'e1', recovered: false } as const;
    socket.push(batch(0, 1));
    socket.push({ kind: 'lagging', views: [7] });
    socket.push({ ...gone, offset: 5, missing: { after: 1, upto: 5 } });
    socket.push({ ...gone, offset: 8, missing: { after: 5, upto: 8 } });
    expect(subscription.position).toEqual({ epoch: 'e1', offset: 8 });
    expect(subscription.state).toBe('lagging');
    const second = await comeBack();
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
    socket.push(snapshot({ offset: 1, publications }));
    socket.push(reset({ epoch: 'e2', offset: 4, mode: 'state' }));
    expect(subscription.current().size).toBe(0);
    expect(socket.command('subscribe').subscriptions).toEqual([{ topic: 'a' }]);
  });

  it('keeps the map of a state topic current', async () => {
    const { socket, subscription } = await live({ mode: 'state', offset: 0 });
    socket.push(snapshot());
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

  it.each([
    [{ epoch: 'e', offset: 5 }, 0],
    [{ epoch: 'e', offset: 4 }, 1],
    [{ epoch: 'e', offset: 6 }, 1],
    [{ epoch: 'f', offset: 5 }, 1],
    [{ epoch: '', offset: 5 }, 1],
  ])(
    'asks for a topic that the gateway joined at %o if it was elsewhere: %i times',
    async (joined, asked) => {
      const h = harness();
      const first = await h.arrive();
      const before = granted({ topic: '$all', view: 3, epoch: 'e', offset: 5 });
      first.push({ kind: 'subscribed', results: [before] });
      h.client.subscribe('$all', () => undefined);
      first.end();
      await h.runtime.advance(1_000);
      h.socket.onopen?.();
      const { socket: second } = h;
      second.push(greeting);
      second.push({ kind: 'subscribed', results: [granted({ topic: '$all', view: 4, ...joined })] });
      second.reply('connect', greeting);
      await settled();
      expect(second.count('subscribe')).toBe(asked);
    },
  );

  it('asks for a topic that the gateway joined and that is empty again: it may have lost something meanwhile', async () => {
    const { h, socket } = await arrived();
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

describe('a topic with several numberings', () => {
  it.each([
    [[], []],
    [['?'], [['reset', 'e1']]],
  ])(
    'gives nothing again of the numbering before, in which a gateway that lags goes on after %j',
    async (between, resets) => {
      const { socket, told, subscription } = await live();
      socket.push(batch(0, 5));
      for (const epoch of ['', ...between, 'e1']) socket.push(reset({ epoch }));
      socket.push(batch(0, 6));
      expect(told).toEqual([1, 2, 3, 4, 5, ['reset', ''], ...resets, 6]);
      expect(subscription.position).toEqual({ epoch: 'e1', offset: 6 });
    },
  );

  it.each([
    ['another numbering', { since: { epoch: 'e0', offset: 9 } }],
    ['an empty topic, by another cursor', { since: { epoch: '', offset: 0 }, cursor: 'c0' }],
  ])('goes back for one that begins in %s, which may lack something', async (_, options) => {
    const h = await live({ epoch: 'cursor' in options ? '' : 'e1', cursor: 'c1' });
    const late = record(h.client.subscribe('a', options));
    await settled();
    expect(h.socket.command('subscribe').subscriptions).toEqual([{ topic: 'a', ...options }]);
    grant(h.socket, { offset: 2, recovered: false });
    expect(late).toHaveLength(1);
    const others = await h.comeBack();
    expect(others.command('subscribe').subscriptions).toHaveLength(1);
  });

  it.each([
    ['', []],
    ['e0', [['reset', 'e1']]],
  ])('tells one in %j what it was not sent before the start of another', async (epoch, more) => {
    const h = await live({ epoch });
    const late = record(h.client.subscribe('a', { since: { epoch: 'e1', offset: 5 } }));
    await settled();
    grant(h.socket, { view: 8, epoch: 'e1', offset: 5, recovered: true });
    h.socket.push(batch(5, 6, { view: 8 }));
    expect([h.told, late]).toEqual([
      [...more, ['gap', 0, 5], 6],
      ['recovered', 6],
    ]);
  });

  it('goes back for one of them at a time on another connection, the level one first', async () => {
    const h = await live({ epoch: '', cursor: 'c2' });
    h.socket.end();
    const since = { epoch: '', offset: 0 };
    for (const cursor of ['c0', 'c1']) h.client.subscribe('a', { since, cursor });
    const socket = await h.comeBack();
    for (const cursor of ['c2', 'c0', 'c1']) {
      await settled();
      expect(socket.command('subscribe').subscriptions).toEqual([{ topic: 'a', since, cursor }]);
      grant(socket, { epoch: '', recovered: cursor !== 'c0' });
    }
    expect(h.told).toEqual(['recovered', 'gap', 'recovered']);
  });
});

it('has given a publication when its listener runs, so that another begins after it', async () => {
  const { socket, subscription, client } = await live();
  const again: unknown[] = [];
  subscription.on('publication', () => {
    const { position: since } = subscription;
    client.subscribe('a', { since }).on('publication', ({ offset }) => again.push(offset));
  });
  socket.push(batch(0, 1));
  expect(again).toEqual([]);
});

describe('a topic with a cursor', () => {
  it('asks with it beside its position', async () => {
    const h = await live({ epoch: '', cursor: 'c1' });
    const next = await h.comeBack();
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
    const next = await h.comeBack();
    grant(next, { epoch: '', recovered: false });
    expect(gaps).toEqual([{ topic: 'a', epoch: '' }]);
    next.push(batch(0, 1));
    expect(h.told).toEqual(['gap', 1]);
  });

  it('tells what is lost of a topic that it knew as empty', async () => {
    const h = await live({ epoch: '' });
    const next = await h.comeBack();
    grant(next, { epoch: 'e1', offset: 4, recovered: false, missing: { after: 0, upto: 4 } });
    expect(h.told).toEqual([['gap', 0, 4]]);
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

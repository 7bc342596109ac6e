import { describe, expect, it } from 'vitest';
import type { Gap, SubscribeOptions } from '../../../src/client/index.ts';
import type { Granted } from '../../../src/protocol/frames.ts';
import type { Reply } from '../../../src/protocol/server-frames.ts';
import { arrived, type FakeSocket, type Harness, publication, settled } from '../support/fakes.ts';
import { batch, grant, live, record, reset, snapshot } from './fixtures.ts';

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
    const socket = await h.comeBack();
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
    const socket = await h.comeBack();
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
    const socket = await h.comeBack();
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
    const socket = await h.comeBack();
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
    const { h, socket } = await arrived();
    const all = h.client.subscribe('p:*', options);
    const told = record(all);
    await settled();
    const granting = { topic: 'p:*', view: 9, epoch: '', topics: [], cursor: 'c1', ...over };
    grant(socket, granting);
    return Object.assign(h, { first: socket, all, told });
  }

  async function comeBack(h: Harness, over?: Partial<Granted>): Promise<FakeSocket> {
    await h.comeBack();
    if (over) grant(h.socket, { topic: 'p:*', view: 9, epoch: '', ...over });
    return h.socket;
  }

  const of = (topic: string, after: number, upto: number, cursor?: string, epoch = 'e1') =>
    batch(after, upto, { view: 9, topic, epoch, cursor });
  const level = (cursor: string): Reply => ({
    kind: 'caughtUp',
    view: 9,
    topic: 'p:*',
    epoch: '',
    offset: 0,
    recovered: true,
    cursor,
  });
  const lost = (topic: string, after: number, upto: number, epoch = 'e1'): Reply => ({
    kind: 'caughtUp',
    view: 9,
    topic,
    epoch,
    offset: upto,
    recovered: false,
    missing: { after, upto },
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

  it('begins for one that has had more of a topic where the others are, which lack it', async () => {
    const h = await pattern();
    h.socket.push(of('p:1', 0, 3, 'c2'));
    const told = record(h.client.subscribe('p:*', { since: [{ topic: 'p:1', epoch: 'e1', offset: 5 }] }));
    await settled();
    const start = { topic: 'p:1', epoch: 'e1', offset: 3 };
    expect(asked(h.socket)).toEqual([{ topic: 'p:*', positions: [start] }]);
    const topics = [{ ...start, mode: 'stream', recovered: true } as const];
    grant(h.socket, { topic: 'p:*', view: 10, epoch: '', topics });
    h.socket.push(batch(3, 6, { view: 10, topic: 'p:1', epoch: 'e1' }));
    expect([h.told, told]).toEqual([
      [1, 2, 3, 'recovered', 4, 5, 6],
      ['recovered', 6],
    ]);
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
        view: 9,
        topic: 'p:1',
        epoch,
        cursor: `c${offset}`,
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
      // Before it is caught up with the first, it would lack something of that.
      expect(h.socket.count('subscribe')).toBe(view - 8);
      h.socket.push({ ...level(`d${view}`), view } as Reply);
    }
    expect([wanted, h.socket.count('subscribe')]).toEqual([['a', 'b'], 3]);
  });

  it('goes back in the topic that lacks a batch', async () => {
    const h = await pattern();
    for (let i = 0; i < 1001; i++) h.socket.push(of(`p:${i}`, 0, 1, `d${i}`));
    h.socket.push(of('p:1000', 2, 3, 'too far'));
    const [request] = asked(h.socket);
    const positions = [{ topic: 'p:1000', epoch: 'e1', offset: 1 }];
    expect(request).toEqual({ topic: 'p:*', cursor: 'd1000', positions });
    grant(h.socket, { topic: 'p:*', view: 9, epoch: '', topics: [] });
    h.socket.push(level('c5'));
    expect(asked(await comeBack(h))).toEqual([{ topic: 'p:*', cursor: 'c5' }]);
  });

  it('goes back there on another connection too, until what it lacks has come', async () => {
    const h = await pattern();
    h.socket.push(of('p:1', 0, 3, 'c2'));
    h.socket.push(of('p:2', 0, 1));
    h.socket.push(of('p:1', 4, 5, 'too far'));
    const [first, second] = ['p:1', 'p:2'].map((topic, i) => ({ topic, epoch: 'e1', offset: 3 - 2 * i }));
    const request = { topic: 'p:*', cursor: 'c2', positions: [first] };
    expect(asked(h.socket)).toEqual([request]);
    const topics = [{ topic: 'p:1', epoch: 'e1', offset: 3, mode: 'stream' as const, recovered: true }];
    expect(asked(await comeBack(h))).toEqual([request]);
    grant(h.socket, { topic: 'p:*', view: 9, epoch: '', recovered: true, topics });
    h.socket.push(of('p:2', 4, 5, 'too far'));
    expect(asked(await comeBack(h))).toEqual([{ ...request, positions: [first, second] }]);
    grant(h.socket, { topic: 'p:*', view: 9, epoch: '', recovered: true, topics });
    h.socket.push(level('c3'));
    expect(asked(await comeBack(h))).toEqual([{ topic: 'p:*', cursor: 'c3' }]);
  });

  it.each<[string, SubscribeOptions, object]>([
    ['wants its last', { last: 2 }, { cursor: 'c2', positions: [{ topic: 'p:1', epoch: 'e1', offset: 1 }] }],
    [
      'has positions',
      { since: [{ topic: 'p:1', epoch: 'e1', offset: 1 }] },
      { positions: [{ topic: 'p:1', epoch: 'e1', offset: 1 }] },
    ],
    ['has a cursor', { cursor: 'c0' }, { cursor: 'c0' }],
  ])(
    'continues on another connection with those that had begun, and goes back for one that %s only then',
    async (_, options, start) => {
      const h = await pattern();
      h.socket.push(of('p:1', 0, 3, 'c2'));
      const late = record(h.client.subscribe('p:*', options));
      const back = { topic: 'p:*', ...start };
      await settled();
      expect(asked(h.socket)).toEqual([back]);
      const isLast = 'last' in options;
      // The gateway may have restarted by then: only the cursor tells what the first lacks.
      expect(asked(await comeBack(h))).toEqual([{ topic: 'p:*', cursor: 'c2' }]);
      grant(h.socket, { topic: 'p:*', view: 9, epoch: '', recovered: false });
      expect(h.told).toContain('gap');
      h.socket.push(of('p:2', 0, 1));
      expect([late, h.socket.count('subscribe')]).toEqual([[], 1]);
      h.socket.push(level('c3'));
      await settled();
      expect(asked(h.socket)).toEqual([isLast ? { ...back, cursor: 'c3' } : back]);
      grant(h.socket, { topic: 'p:*', view: 10, epoch: '', recovered: true });
      h.socket.push(batch(1, 3, { view: 10, topic: 'p:1', epoch: 'e1' }));
      // Cut off before everything that it lacks has come.
      expect(asked(await comeBack(h))).toEqual([{ topic: 'p:*', cursor: 'c3' }]);
      grant(h.socket, { topic: 'p:*', view: 9, epoch: '', recovered: true, cursor: 'c4' });
      await settled();
      expect(asked(h.socket)[0]).toMatchObject('positions' in start ? { positions: [{ offset: 3 }] } : start);
      grant(h.socket, { topic: 'p:*', view: 10, epoch: '', recovered: true, cursor: 'c5' });
      expect(asked(await comeBack(h))).toEqual([{ topic: 'p:*', cursor: 'c5' }]);
      const offsets = (told: readonly unknown[]) => told.filter((each) => typeof each === 'number');
      expect([offsets(h.told), offsets(late)]).toEqual([
        [1, 2, 3, 1],
        [2, 3],
      ]);
    },
  );

  it('asks for the earlier of two cursors of one numbering, as those that had begun may lack what is under way', async () => {
    const h = await pattern({ cursor: 'e.9' });
    h.client.subscribe('p:*', { cursor: 'e.a' });
    await settled();
    expect(asked(h.socket)).toEqual([{ topic: 'p:*', cursor: 'e.9' }]);
  });

  it.each([
    ['a stream’s cursor', 'e.a~abcdefgh.3~bcdefghi.b@s.x', 'e.9~abcdefgh.3~bcdefghi.9@s.x'],
    ['a cursor that lacks values', 'e.a!', 'e.9!'],
  ])('goes no later than those that had begun for one with %s', async (_, cursor, start) => {
    const h = await pattern({ cursor: 'e.9' });
    h.client.subscribe('p:*', { cursor });
    await settled();
    expect(asked(h.socket)).toEqual([{ topic: 'p:*', cursor: start }]);
  });

  it('goes back to the first of a topic that those that had begun never heard of', async () => {
    const h = await pattern();
    const told = record(h.client.subscribe('p:*', { since: [{ topic: 'p:1', epoch: 'e1', offset: 6 }] }));
    await settled();
    // The first may have been about to be sent the fifth and sixth.
    const start = { topic: 'p:1', epoch: 'e1', offset: 0 };
    expect(asked(h.socket)).toEqual([{ topic: 'p:*', positions: [start] }]);
    const topics = [
      {
        ...start,
        offset: 4,
        mode: 'stream',
        recovered: false,
        missing: { after: 0, upto: 4 },
      } as const,
    ];
    grant(h.socket, { topic: 'p:*', view: 10, epoch: '', topics });
    h.socket.push(batch(4, 7, { view: 10, topic: 'p:1', epoch: 'e1' }));
    expect([h.told, told]).toEqual([[['gap', 0, 4], 5, 6, 7], [7]]);
  });

  it('tells that topics may have come and gone where it goes on by positions before it was level', async () => {
    const { h, socket } = await arrived();
    const own = { topic: '$all', view: 1, mode: 'stream', epoch: 'e1', offset: 0, cursor: 'c0' } as const;
    socket.push({ kind: 'subscribed', results: [own] });
    const since = [{ topic: 'p:1', epoch: 'e1', offset: 6 }];
    const told = record(h.client.subscribe('p:*', { since }));
    await settled();
    grant(socket, { topic: 'p:*', view: 9, epoch: '', topics: [] });
    expect(told).toEqual([]);
    expect(asked(await comeBack(h))).toContainEqual(
      expect.objectContaining({ topic: 'p:*', positions: since }),
    );
    grant(h.socket, own, { topic: 'p:*', view: 9, epoch: '', topics: [], recovered: false, cursor: 'c1' });
    expect(told).toEqual(['gap']);
    expect(asked(await comeBack(h))).toContainEqual(expect.objectContaining({ topic: 'p:*', cursor: 'c1' }));
    grant(h.socket, own, { topic: 'p:*', view: 9, epoch: '', recovered: true, cursor: 'c2' });
    expect(told).toEqual(['gap', 'recovered']);
  });

  it('goes back for none before the values of its state topics have come', async () => {
    const h = await pattern({ cursor: 'e.9!' });
    h.client.subscribe('p:*', { cursor: 'e.1' });
    await settled();
    expect(h.socket.count('subscribe')).toBe(1);
    h.socket.push(level('e.a'));
    expect(asked(h.socket)).toEqual([{ topic: 'p:*', cursor: 'e.1' }]);
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
          view: 9,
          topic,
          epoch: 'e1',
          cursor: 'c2',
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

it('tells what is lost of a topic that a gateway without cursors names for the first time', async () => {
  const { h, socket } = await arrived();
  const told = record(h.client.subscribe('p:*'));
  await settled();
  grant(socket, { topic: 'p:*', view: 9, epoch: '', topics: [] });
  await h.comeBack();
  const missing = { after: 0, upto: 15 };
  const topics = [
    { topic: 'p:2', epoch: 'e1', offset: 15, mode: 'stream', recovered: false, missing } as const,
  ];
  grant(h.socket, { topic: 'p:*', view: 9, epoch: '', topics });
  h.socket.push(batch(15, 17, { view: 9, topic: 'p:2', epoch: 'e1' }));
  expect(told).toEqual([['gap', 0, 15], 16, 17]);
});
